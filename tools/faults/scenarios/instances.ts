// Instances that crash, are replaced, are added, hang or are slow.
import { once } from 'node:events';
import type { ManagedProcess } from '../../stack/managed-process.ts';
import { type Scenario, slowestOf } from '../environment.ts';
import type { Outcome } from '../load.ts';

/** Milliseconds from one kill to the next. */
const KILL_EVERY_MS = 2000;
/** Milliseconds in which an instance must end after a SIGTERM. */
const END_MS = 10_000;
/** The longest wait for a reply, in milliseconds, if an instance hangs or a route is slow. */
const MAX_REPLY_MS = 3000;
/** The same if a request may meet two instances that hang: nginx tries each for 1.8 s. */
const MAX_TWO_TRIES_MS = 4500;
/** A reply that takes more milliseconds is slow for a person. */
const SLOW_MS = 1000;
/** The largest share of slow replies while instances hang. */
const MAX_SLOW_SHARE = 0.03;
/** Requests that arrive in a second while instances hang. Clients that wait would send fewer. */
const ARRIVALS = 100;

const kill: Scenario = {
  name: 'kill',
  should: 'lose nothing, count nothing twice and fail nothing if instances are killed',
  async run(environment) {
    await environment.startLoad();
    const kills = await environment.repeat(environment.amount(30_000, 3000), KILL_EVERY_MS, () => {
      const instance = environment.random.pick(environment.stack.instances);
      return instance.kill().then(() => instance.start());
    });
    environment.note(`${kills} kills`);
  },
};

const rolling: Scenario = {
  name: 'rolling',
  should:
    'lose nothing, count nothing twice and fail nothing if all instances are replaced in turn',
  async run(environment) {
    await environment.startLoad();
    const rounds = environment.amount(2, 1);
    let slowest = 0;
    for (let round = 0; round < rounds; round += 1) {
      for (const instance of environment.stack.instances) {
        const { ms, reason } = await stop(instance);
        slowest = Math.max(slowest, ms);
        environment.require(reason === 'exit code 0', `${instance.name} ended with ${reason}`);
        environment.require(ms < END_MS, `${instance.name} took ${ms} ms to end`);
        await instance.start();
      }
    }
    await environment.wait(1000, 300);
    environment.note(`${rounds} rounds, the slowest end took ${slowest} ms`);
  },
};

/** Stops an instance. Resolves to its exit reason and the duration. */
async function stop(instance: ManagedProcess): Promise<{ ms: number; reason: string }> {
  const from = performance.now();
  const ended = once(instance, 'end');
  await instance.stop();
  const [reason] = await ended;
  return { ms: Math.round(performance.now() - from), reason };
}

const scale: Scenario = {
  name: 'scale',
  should: 'lose nothing, count nothing twice and fail nothing if instances are added and removed',
  async run(environment) {
    await environment.startLoad();
    for (const count of [6, 1, 3]) {
      await environment.wait(2000, 300);
      await environment.stack.scale(count);
    }
    await environment.wait(2000, 500);
    const { size } = new Set(environment.outcomes.flatMap(({ instance }) => instance ?? []));
    environment.note(`3, 6, 1, 3 instances; ${size} answered`);
    environment.require(size >= 6, `only ${size} instances ever answered`);
  },
};

/**
 * Instances are paused and continue later, with old requests under way.
 *
 * @param sizes how many at once; after them, how many others, and so on
 */
function hang(
  name: string,
  should: string,
  sizes: number[],
  ...pauseMs: [number, number]
): Scenario {
  const run: Scenario['run'] = async (environment) => {
    await environment.startLoad({ perSecond: ARRIVALS });
    await environment.wait(1000, 500);
    const { instances } = environment.stack;
    const others = [...instances];
    const pausedAt = performance.now();
    for (const size of sizes) {
      const hanging = others.splice(environment.random.below(others.length - size + 1), size);
      for (const instance of hanging) instance.pause();
      await environment.wait(...pauseMs);
      for (const instance of hanging) instance.resume();
    }
    const resumedAt = performance.now();
    await environment.requireWithin(5000, 'all instances answer again', () => {
      const replies = environment.outcomes.filter(({ from }) => from > resumedAt);
      const names = new Set(replies.map(({ instance }) => instance));
      const missing = instances.find((instance) => !names.has(instance.name));
      if (missing) throw new Error(`no reply of ${missing.name} yet`);
    });
    const backMs = Math.round(performance.now() - resumedAt);
    environment.note(`all instances were back ${backMs} ms after`);
    await environment.wait(3000, 500); // they handle the requests that they received while they hung
    await environment.stopLoad();
    const during = environment.outcomes.filter(({ from }) => from > pausedAt && from < resumedAt);
    const slow = during.filter(({ ms }) => ms > SLOW_MS);
    const share = slow.length / during.length;
    const slower = `${(100 * share).toFixed(1)} % slower than ${SLOW_MS} ms`;
    environment.note(`${during.length} requests while it lasted, ${slower}`);
    environment.require(share <= MAX_SLOW_SHARE, slower);
    // If they hang in turn, a request may meet the last moment of one and the first of the next.
    const meetsTwo = sizes.length > 1 || Math.max(...sizes) > 1;
    environment.requireFasterThan(meetsTwo ? MAX_TWO_TRIES_MS : MAX_REPLY_MS);
  };
  return { name, should, run };
}

/** One route is too slow for all clients; this must not affect the other routes. */
const slowRoute: Scenario = {
  name: 'slow-route',
  should: 'answer the other routes from all instances if one route is too slow',
  env: { ORIGIN_DELAY_MS: '8000', CACHE: 'off', CACHE_GUARD: 'off' },
  mayFail: ({ request, status }) => request === 'GET /data' && (status === 503 || status === 504),
  async run(environment) {
    await environment.startLoad();
    await environment.wait(12_000, 4500);
    await environment.stopLoad();
    environment.requireFasterThan(MAX_REPLY_MS);
    const isData = ({ request }: Outcome) => request === 'GET /data';
    const data = environment.outcomes.filter(isData);
    const answered = data.filter(({ status }) => status === 200);
    environment.requireNone(answered, 'answered with 200, not 503 or 504');
    environment.note(`GET /data: ${data.length}, the slowest ${slowestOf(data)} ms`);
    const others = environment.outcomes.filter((outcome) => !isData(outcome));
    environment.note(`the others: ${others.length}, the slowest ${slowestOf(others)} ms`);
    const late = others.slice(-Math.ceil(others.length / 2));
    const { size } = new Set(late.map(({ instance }) => instance));
    environment.require(size === 3, `${size} instances answered in the second half, not 3`);
  },
};

const HANG = 'learn that an instance hangs, use it again, and count nothing twice';
const TWO_HANG = 'do the same if two instances hang and one is left';
const HANG_IN_TURN = 'do the same if all instances hang in turn';
const LONG_HANG = 'count nothing twice if an instance hangs for more than a minute';

export const instanceScenarios: Scenario[] = [
  kill,
  rolling,
  scale,
  hang('hang', HANG, [1], 10_000, 5000),
  hang('two-hang', TWO_HANG, [2], 10_000, 10_000),
  hang('hang-in-turn', HANG_IN_TURN, [1, 1, 1], 10_000, 5000),
  { ...hang('long-hang', LONG_HANG, [1], 75_000, 75_000), isLong: true },
  slowRoute,
];
