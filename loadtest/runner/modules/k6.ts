// The module `k6`.
import { ask, record, tagsOf, vu } from './host.ts';

/** Blocks the VU for so many seconds. */
export function sleep(seconds: number): void {
  ask('sleep', Number(seconds));
}

/** Notes for each condition whether it holds of `value`; true where all do. */
export function check(value: unknown, conditions: object, tags?: object): boolean {
  const results = Object.entries(conditions).map(([name, condition]) => {
    const holds = Boolean(typeof condition === 'function' ? condition(value) : condition);
    record('checks', Number(holds), { ...tagsOf(tags), check: name });
    return holds;
  });
  return results.every(Boolean);
}

/** Runs `run` under a name, which its samples carry. */
export function group<T>(name: string, run: () => T): T {
  if (Object.prototype.toString.call(run) === '[object AsyncFunction]') {
    throw new TypeError('group() does not take async functions');
  }
  const [outer, from] = [vu.group, Date.now()];
  vu.group = `${outer}::${name}`;
  try {
    return run();
  } finally {
    record('group_duration', Date.now() - from);
    vu.group = outer;
  }
}

/** Gives this iteration up. */
export function fail(reason = ''): never {
  throw new Error(reason);
}

export default { check, fail, group, sleep };
