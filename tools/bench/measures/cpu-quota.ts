import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A limit of the CPU time that a process may use. */
export interface Quota {
  /** What keeps it. */
  readonly mechanism: string;
  /** Takes it off, also where the process has ended. */
  lift(): Promise<void>;
}

/** A way to limit processes. */
export interface Mechanism {
  name: string;
  /** Resolves to whether it has an effect on this system, for this user. */
  works(): Promise<boolean>;
  /** Limits a process to a share of one core. Resolves to what takes the limit off. */
  limit(pid: number, share: number): Promise<Quota['lift']>;
}

/** Milliseconds within which a process uses no more than its share; containers have the same. */
const PERIOD_MS = 20;

const CGROUPS = '/sys/fs/cgroup';
/** Share and milliseconds of a trial: so little that a busy process wants more, whatever else runs. */
const TRIAL_SHARE = 0.05;
const TRIAL_MS = 500;
/** How often the removal of a group is tried, and milliseconds between: its process leaves it late. */
const REMOVALS = 40;
const REMOVAL_MS = 25;

/** Control groups of Linux, as containers have them. They want root. */
function controlGroups(
  name: string,
  parent: string,
  controller: string,
  settings: (periodUs: number, quotaUs: number) => Record<string, string>,
): Mechanism {
  const groupOf = (pid: number) => join(parent, `quota-${pid}`);
  return {
    name,
    async works() {
      if (!existsSync(join(parent, 'cgroup.procs'))) return false;
      const busy = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
      const pid = busy.pid ?? 0;
      try {
        const lift = await this.limit(pid, TRIAL_SHARE);
        await delay(TRIAL_MS);
        const stat = readFileSync(join(groupOf(pid), 'cpu.stat'), 'utf8');
        await lift();
        return Number(/^nr_throttled (\d+)$/m.exec(stat)?.[1]) > 0; // some accept a quota, and no more
      } catch {
        return false;
      } finally {
        busy.kill('SIGKILL');
      }
    },
    async limit(pid, share) {
      const before = join(parent, groupNow(pid, controller));
      const group = groupOf(pid);
      mkdirSync(group, { recursive: true });
      try {
        const quotaUs = Math.round(share * PERIOD_MS * 1000);
        for (const [file, value] of Object.entries(settings(PERIOD_MS * 1000, quotaUs))) {
          set(join(group, file), value);
        }
        set(join(group, 'cgroup.procs'), String(pid));
      } catch (err) {
        await removeGroup(group);
        throw err;
      }
      return async () => {
        try {
          set(join(before, 'cgroup.procs'), String(pid));
        } catch {
          // it has ended
        }
        await removeGroup(group);
      };
    },
  };
}

/** The group that a process is in, below the mount point of a hierarchy. */
function groupNow(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trimEnd().split('\n');
  const parts = lines.map((line) => line.split(':'));
  const found = parts.find(([, controllers = '']) => controllers.split(',').includes(controller));
  return found?.[2] ?? '/';
}

/** Writes to a file of the kernel, which is there or is not. */
function set(file: string, value: string): void {
  writeFileSync(file, value, { flag: 'r+' });
}

async function removeGroup(group: string): Promise<void> {
  for (let i = 0; existsSync(group) && i < REMOVALS; i += 1) {
    try {
      rmdirSync(group);
    } catch {
      await delay(REMOVAL_MS);
    }
  }
}

/** @see https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files */
const cgroup2 = controlGroups('cgroup v2, cpu.max', CGROUPS, '', (periodUs, quotaUs) => ({
  '../cgroup.subtree_control': '+cpu',
  'cpu.max': `${quotaUs} ${periodUs}`,
}));

/** @see https://docs.kernel.org/scheduler/sched-bwc.html */
const cgroup1 = controlGroups(
  'cgroup v1, cpu.cfs_quota_us',
  join(CGROUPS, 'cpu'),
  'cpu',
  (periodUs, quotaUs) => ({
    'cpu.cfs_period_us': String(periodUs),
    'cpu.cfs_quota_us': String(quotaUs),
  }),
);

/** Milliseconds between two looks at a process that is stopped and continued. */
const TICK_MS = 5;
/** Milliseconds in a unit of /proc/PID/stat, on every Linux. */
const CLOCK_MS = 10;

/**
 * Stops a process when it has used more than its share, and lets it go on later, as the program
 * cpulimit does. It wants no rights, but goes on only as long as this process does.
 */
export const stopAndContinue: Mechanism = {
  name: 'SIGSTOP and SIGCONT',
  async works() {
    return existsSync('/proc/self/stat');
  },
  async limit(pid, share) {
    let at = performance.now();
    let used = cpuMs(pid);
    let allowance = 0;
    const look = () => {
      const now = performance.now();
      const usedNow = cpuMs(pid);
      const earned = share * (now - at);
      allowance = Math.min(allowance + earned - (usedNow - used), share * PERIOD_MS);
      at = now;
      used = usedNow;
      process.kill(pid, allowance < 0 ? 'SIGSTOP' : 'SIGCONT');
    };
    const timer = setInterval(() => {
      try {
        look();
      } catch {
        clearInterval(timer); // it has ended
      }
    }, TICK_MS);
    return async () => {
      clearInterval(timer);
      if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGCONT');
    };
  },
};

/** Milliseconds of CPU time that a process has used so far, with all of its threads. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third one on
  return (Number(fields[11]) + Number(fields[12])) * CLOCK_MS;
}

/** The most exact ones first. */
const MECHANISMS = [cgroup2, cgroup1, stopAndContinue];
const known = new Map<Mechanism, Promise<boolean>>();

/**
 * Lets a process use no more than a share of the time of one core: 0.15 is 15 %. The least is 0.05.
 *
 * @param mechanisms what is tried, in order
 * @throws {Error} where none of them works here
 */
export async function limitCpu(
  pid: number,
  share: number,
  mechanisms: Mechanism[] = MECHANISMS,
): Promise<Quota> {
  for (const mechanism of mechanisms) {
    const works = known.get(mechanism) ?? mechanism.works();
    known.set(mechanism, works);
    if (!(await works)) continue;
    return { mechanism: mechanism.name, lift: await mechanism.limit(pid, share) };
  }
  throw new Error('the CPU time of a process cannot be limited here: that wants a Linux');
}
