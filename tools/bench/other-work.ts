import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { HAS_PROC, treeCpuMs } from '../lib/process-use.ts';
import { sum } from '../lib/statistics.ts';

/**
 * The largest share of all cores that other processes may use. On two cores it is a tenth of one: an
 * idle desktop uses less, and a compiler or a video uses more.
 */
const MAX_OTHER_WORK = 0.05;
/**
 * The largest difference between the rounds of the baseline, as a share of their median. If it is
 * larger, a variant may seem slower by a quarter only because its round was a bad one.
 */
const MAX_SPREAD = 0.25;
/** Milliseconds of rest before the run. */
const REST_MS = 3000;
/** Milliseconds between two looks at other work during the run. */
const CHECK_MS = 10_000;

/** What tells whether the machine was too busy for the run. A missing figure is unknown. */
export interface Disturbance {
  /** The share of all cores that other processes used before the run. */
  before?: number;
  /** The same during the run. */
  during?: number;
  /** The difference between the rounds of the baseline, as a share of their median. */
  spread?: number;
}

/** Why the machine was too busy to judge the figures; empty if it was not. */
export function reasonsAgainst({ before = 0, during = 0, spread = 0 }: Disturbance): string[] {
  const other = (share: number, when: string) =>
    share > MAX_OTHER_WORK
      ? `other work took ${percent(share)} of the CPU time ${when} the run (limit ${percent(MAX_OTHER_WORK)})`
      : [];
  const varied = `bare Express varied by ${percent(spread)} between rounds`;
  return [
    other(before, 'before'),
    other(during, 'during'),
    spread > MAX_SPREAD ? `${varied} (limit ${percent(MAX_SPREAD)})` : [],
  ].flat();
}

/** One line on other work, also if there was little. */
export function describeOtherWork({ before, during }: Disturbance): string {
  const shares = [
    before !== undefined && `${percent(before)} before the run`,
    during !== undefined && `${percent(during)} during it`,
  ];
  return `CPU time of other work ${shares.filter(Boolean).join(', ')}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/**
 * Watches the machine for other work: before the run, and until the result is called. It reports too
 * much of it at once. Without /proc (macOS) only the time before the run is known.
 */
export async function watchOtherWork(report: (line: string) => void): Promise<() => Disturbance> {
  const first = cpuTimes();
  await delay(REST_MS);
  const start = cpuTimes();
  const before = otherShare(first, start);
  const found = () => ({ before, ...(HAS_PROC && { during: otherShare(start, cpuTimes()) }) });
  const warn = (disturbance: Disturbance) => {
    const [reason] = reasonsAgainst(disturbance);
    if (reason) report(`The machine is too busy to judge: ${reason}.`);
    return reason !== undefined;
  };
  if (warn({ before })) return found;
  const timer = setInterval(() => warn(found()) && clearInterval(timer), CHECK_MS).unref();
  return () => {
    clearInterval(timer);
    return found();
  };
}

/** CPU time of all cores, in milliseconds since the start of the machine. */
export interface CpuTimes {
  all: number;
  /** The part that was used, or that the host gave to other virtual machines. */
  busy: number;
  /** The part that the processes of this run have used. */
  own: number;
}

/** The share of all cores that other processes used between two moments. */
export function otherShare(from: CpuTimes, to: CpuTimes): number {
  const other = to.busy - from.busy - (to.own - from.own);
  return Math.max(0, other / (to.all - from.all)); // the kernel counts both in units of 10 ms
}

function cpuTimes(): CpuTimes {
  if (HAS_PROC) {
    return { ...readStat(readFileSync('/proc/stat', 'utf8')), own: treeCpuMs(process.pid) };
  }
  const cores = cpus().map(({ times }) => times);
  const all = sum(cores.flatMap((times) => Object.values(times)));
  const { user, system } = process.cpuUsage();
  return { all, busy: all - sum(cores.map(({ idle }) => idle)), own: (user + system) / 1000 };
}

/**
 * Reads the first line of /proc/stat. A kernel that measures the time of interrupts does not count it
 * as time of processes. Then it is not counted here either, because most of it belongs to the run.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_stat.5.html
 */
export function readStat(stat: string): Omit<CpuTimes, 'own'> {
  const ticks = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '').split(' ').map((text) => Number(text) * 10);
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft = 0, steal = 0] =
    ticks;
  const busy = user + nice + system + steal + (irq > 0 ? 0 : soft);
  return { all: user + nice + system + idle + waiting + irq + soft + steal, busy };
}
