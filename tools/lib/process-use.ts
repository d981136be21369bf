import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { sum } from './statistics.ts';

/** Milliseconds in a unit of /proc/PID/stat, on every Linux. */
const CLOCK_MS = 10;
/** Memory is steady if it grows by at most this number of megabytes in this time. */
const STEADY_MB = 3;
const STEADY_MS = 6000;

/** A process whose id is known, for example of a stack. */
interface Process {
  status(): Promise<{ pid: number | null }>;
}

/** The resources that a process uses. */
export interface Use {
  /** Open file descriptors. */
  fds: number;
  /** Resident memory in megabytes. */
  rssMb: number;
  /** The part of the resident memory that are pages of files, in megabytes. */
  fileMb: number;
}

/** Tells whether the system has the files of this module (Linux). */
export const HAS_PROC = existsSync('/proc/self/stat');

/** The ids of running processes. */
export async function pidsOf(processes: readonly Process[]): Promise<number[]> {
  const statuses = await Promise.all(processes.map((one) => one.status()));
  return statuses.flatMap(({ pid }) => pid ?? []);
}

/** What each process uses now; empty if the system has no /proc. */
export async function usesOf(processes: readonly Process[]): Promise<Use[]> {
  if (!HAS_PROC) return [];
  return (await pidsOf(processes)).map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const mb = (field: string) =>
      Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024);
    const fds = readdirSync(`/proc/${pid}/fd`).length;
    return { fds, rssMb: mb('VmRSS'), fileMb: mb('RssFile') };
  });
}

/**
 * What each process uses once its memory is steady, or after `longestMs` at the latest. V8 grows its
 * heap during the first minute of a load, from 155 to 275 MB.
 */
export async function steadyUsesOf(
  processes: readonly Process[],
  longestMs: number,
): Promise<Use[]> {
  const until = performance.now() + longestMs;
  for (;;) {
    const before = await usesOf(processes);
    await delay(Math.min(STEADY_MS, longestMs));
    const uses = await usesOf(processes);
    const isSteady = uses.every(({ rssMb }, i) => rssMb - (before[i]?.rssMb ?? 0) <= STEADY_MB);
    if (isSteady || performance.now() > until) return uses;
  }
}

/** Milliseconds of CPU time that a process has used so far, with all of its threads. */
export function cpuMs(pid: number): number {
  return statOf(pid).cpuMs;
}

/** Milliseconds of CPU time that the running processes of a process group have used so far. */
export function groupCpuMs(group: number): number {
  return sum(allStats().map((stat) => (stat.group === group ? stat.cpuMs : 0)));
}

/** Milliseconds of CPU time that a process and its descendants have used so far, also ended ones. */
export function treeCpuMs(root: number): number {
  const children = Map.groupBy(allStats(), ({ parent }) => parent);
  const used = ({ pid, cpuMs, endedMs }: Stat): number =>
    cpuMs + endedMs + sum((children.get(pid) ?? []).map(used));
  return used(statOf(root));
}

interface Stat {
  pid: number;
  parent: number;
  group: number;
  cpuMs: number;
  /** CPU time of children that have ended. */
  endedMs: number;
}

function allStats(): Stat[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.flatMap((pid) => {
    try {
      return statOf(Number(pid));
    } catch {
      return []; // the process has ended meanwhile
    }
  });
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function statOf(pid: number): Stat {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third field on
  const [parent = NaN, group = NaN] = fields.slice(1).map(Number);
  const [user = NaN, system = NaN, endedUser = NaN, endedSystem = NaN] = fields
    .slice(11)
    .map((ticks) => Number(ticks) * CLOCK_MS);
  return { pid, parent, group, cpuMs: user + system, endedMs: endedUser + endedSystem };
}

/** One resource of each process: `120/118/125`. */
export function showUse(uses: Use[], resource: keyof Use): string {
  return uses.map((use) => use[resource]).join('/') || 'unknown on this system';
}
