import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { cpuMs, HAS_PROC } from './process-use.ts';

/** A limit of the CPU time that a process may use. */
export interface Quota {
  /** The name of the mechanism that enforces the limit. */
  readonly mechanism: string;
  /** Removes the limit, also if the process has ended. */
  lift(): Promise<void>;
}

/** A way to limit processes. */
export interface Mechanism {
  name: string;
  /** Resolves to whether the mechanism has an effect on this system, for this user. */
  works(): Promise<boolean>;
  /**
   * Limits a process to a share of one core in each period of milliseconds. Resolves to a function
   * that removes the limit.
   */
  limit(pid: number, share: number, periodMs: number): Promise<Quota['lift']>;
}

const PERIOD_MS = 20;
const CGROUPS = '/sys/fs/cgroup';
/** Share and milliseconds of a trial; so small that a busy process is limited on any machine. */
const TRIAL_SHARE = 0.05;
const TRIAL_MS = 500;
/** Milliseconds for which the removal of a group is tried: its process leaves the group late. */
const REMOVAL_MS = 1000;

/** Limits processes by a control group of Linux, as container engines do. It requires root. */
function controlGroups(
  name: string,
  parent: string,
  controller: string,
  settings: (quotaUs: number, periodUs: number) => Record<string, number | string>,
): Mechanism {
  const groupOf = (pid: number) => join(parent, `quota-${pid}`);
  return {
    name,
    async works() {
      if (!existsSync(join(parent, 'cgroup.procs'))) return false;
      const busy = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
      const pid = busy.pid ?? 0;
      try {
        const lift = await this.limit(pid, TRIAL_SHARE, PERIOD_MS);
        await delay(TRIAL_MS);
        const stat = readFileSync(join(groupOf(pid), 'cpu.stat'), 'utf8');
        await lift();
        return Number(/^nr_throttled (\d+)$/m.exec(stat)?.[1]) > 0; // some systems ignore a quota
      } catch {
        return false;
      } finally {
        busy.kill('SIGKILL');
      }
    },
    async limit(pid, share, periodMs) {
      const before = join(parent, groupNow(pid, controller), 'cgroup.procs');
      const group = groupOf(pid);
      const remove = () =>
        eventually(() => existsSync(group) && rmdirSync(group), REMOVAL_MS).catch(() => {});
      mkdirSync(group, { recursive: true });
      try {
        const files = settings(Math.round(share * periodMs * 1000), periodMs * 1000);
        for (const [file, value] of Object.entries(files)) set(join(group, file), value);
        set(join(group, 'cgroup.procs'), pid);
      } catch (err) {
        await remove();
        throw err;
      }
      return async () => {
        try {
          set(before, pid);
        } catch {
          // the process has ended
        }
        await remove();
      };
    },
  };
}

/** The current group of a process, below the mount point of a hierarchy. */
function groupNow(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trimEnd().split('\n');
  const fields = lines.map((line) => line.split(':'));
  const found = fields.find(([, controllers = '']) => controllers.split(',').includes(controller));
  return found?.[2] ?? '/';
}

/** Writes to a file of the kernel, and never creates one. */
function set(file: string, value: number | string): void {
  writeFileSync(file, String(value), { flag: 'r+' });
}

/** @see https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files */
const cgroup2 = controlGroups('cgroup v2, cpu.max', CGROUPS, '', (quotaUs, periodUs) => ({
  '../cgroup.subtree_control': '+cpu',
  'cpu.max': `${quotaUs} ${periodUs}`,
}));

/** @see https://docs.kernel.org/scheduler/sched-bwc.html */
const cgroup1 = controlGroups(
  'cgroup v1, cpu.cfs_quota_us',
  join(CGROUPS, 'cpu'),
  'cpu',
  (quotaUs, periodUs) => ({ 'cpu.cfs_period_us': periodUs, 'cpu.cfs_quota_us': quotaUs }),
);

/** Milliseconds between two checks of a process that is stopped and continued. */
const CHECK_MS = 5;

/**
 * Stops a process that has used more than its share and continues it later, as the program cpulimit
 * does. It requires no rights, but lasts only as long as this process.
 */
export const stopAndContinue: Mechanism = {
  name: 'SIGSTOP and SIGCONT',
  works: async () => HAS_PROC,
  async limit(pid, share, periodMs) {
    let at = performance.now();
    let used = cpuMs(pid);
    let allowance = 0;
    const check = () => {
      const [before, usedBefore] = [at, used];
      [at, used] = [performance.now(), cpuMs(pid)];
      const earned = share * (at - before);
      allowance = Math.min(allowance + earned - (used - usedBefore), share * periodMs);
      process.kill(pid, allowance < 0 ? 'SIGSTOP' : 'SIGCONT');
    };
    const timer = setInterval(() => {
      try {
        check();
      } catch {
        clearInterval(timer); // the process has ended
      }
    }, CHECK_MS);
    return async () => {
      clearInterval(timer);
      if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGCONT');
    };
  },
};

/** The most exact mechanism first. */
const MECHANISMS = [cgroup2, cgroup1, stopAndContinue];
const known = new Map<Mechanism, Promise<boolean>>();

interface LimitOptions {
  mechanisms?: Mechanism[];
  periodMs?: number;
}

/**
 * Limits a process to a share of the time of one core: 0.15 is 15 %. The smallest share is 0.05.
 *
 * @param options `mechanisms` are tried in this order. In each period of `periodMs` milliseconds the
 * process runs for its share and then waits
 * @throws {Error} if none of them works on this system
 */
export async function limitCpu(
  pid: number,
  share: number,
  { mechanisms = MECHANISMS, periodMs = PERIOD_MS }: LimitOptions = {},
): Promise<Quota> {
  for (const mechanism of mechanisms) {
    const works = known.get(mechanism) ?? mechanism.works();
    known.set(mechanism, works);
    if (!(await works)) continue;
    return { mechanism: mechanism.name, lift: await mechanism.limit(pid, share, periodMs) };
  }
  throw new Error('the CPU time of a process can be limited on Linux only');
}
