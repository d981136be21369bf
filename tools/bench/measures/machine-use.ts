import { cpus } from 'node:os';

/** Begins to watch the cores. What it returns tells the share of their time in use since then. */
export function watchCores(): () => number {
  const before = coreTimes();
  return () => {
    const after = coreTimes();
    return 1 - (after.idle - before.idle) / (after.all - before.all);
  };
}

/** Milliseconds so far, of all cores together. */
function coreTimes(): { idle: number; all: number } {
  const sum = { idle: 0, all: 0 };
  for (const { times } of cpus()) {
    sum.idle += times.idle;
    sum.all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return sum;
}
