// The module `k6`.
import { record, vu } from './host.ts';

const clock = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the VU for so many seconds. */
export function sleep(seconds: number): void {
  Atomics.wait(clock, 0, 0, seconds * 1000);
}

/** Records for each condition whether it holds of the value. True if all hold. */
export function check<T>(value: T, conditions: Record<string, (value: T) => boolean>): boolean {
  const results = Object.entries(conditions).map(([name, condition]) => {
    const holds = condition(value);
    record('checks', Number(holds), { check: name });
    return holds;
  });
  return results.every(Boolean);
}

/** Runs a function under a name, which its samples carry. */
export function group<T>(name: string, run: () => T): T {
  const outer = vu.group;
  vu.group = `${outer}::${name}`;
  try {
    return run();
  } finally {
    vu.group = outer;
  }
}

/** Ends this iteration. */
export function fail(reason = ''): never {
  throw new Error(reason);
}
