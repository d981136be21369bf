import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** CPU time in microseconds that all processes of a group have taken so far, by the group's id. */
export type CpuTimes = Map<number, number>;

/** What each process group of the machine has taken; nothing where the system has no schedstat. */
export function cpuTimes(): CpuTimes | undefined {
  if (!existsSync('/proc/self/schedstat')) return undefined;
  const times: CpuTimes = new Map();
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const group = Number(stat.slice(stat.lastIndexOf(')')).split(' ')[3]);
      times.set(group, (times.get(group) ?? 0) + timeOf(pid));
    } catch {
      // it has ended meanwhile
    }
  }
  return times;
}

/** A process's own schedstat is that of its first thread alone. */
function timeOf(pid: string): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((task) => readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
    .reduce((us, ns) => us + Number(ns) / 1000, 0);
}
