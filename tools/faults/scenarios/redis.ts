// A Redis that hangs, is slow, or dies.
import { setTimeout as delay } from 'node:timers/promises';
import { DelayedRedis } from '../../lib/delayed-redis.ts';
import { inRedis } from '../../lib/redis-client.ts';
import { send } from '../../lib/visitor.ts';
import type { Stack } from '../../stack/stack.ts';
import { showUse, steadyUsesOf, usesOf } from '../process-use.ts';
import { kinds, type Scenario, Stage } from '../stage.ts';

/** Milliseconds within which every request is answered, whatever Redis does. */
const REPLY_MS = 2000;
/** Milliseconds after the end of an outage within which all is well again. */
const BACK_MS = 2000;
/** Milliseconds between two looks at whether the instances live. */
const LOOK_MS = 250;
/** The most megabytes that an outage may cost an instance. */
const GROWTH_MB = 50;

/** An outage: how it begins, and how it ends. */
interface Outage {
  ms: number;
  begin: () => unknown;
  end: () => unknown;
}

/** Redis stops in its tracks. */
export const redisPause: Scenario = {
  name: 'redis-pause',
  should: 'say within two seconds that Redis hangs, and recover within two',
  async run(options) {
    await using stage = await Stage.open(redisPause.name, options);
    await stage.startLoad();
    const { redis } = stage.stack;
    const ms = stage.amount(5000, 2500);
    await suffer(stage, { ms, begin: () => redis.pause(), end: () => redis.resume() });
    return await stage.settle();
  },
};

/** Redis accepts connections and commands, and answers none. */
export const clientPause: Scenario = {
  name: 'client-pause',
  should: 'say within two seconds that Redis does not answer, and recover within two',
  async run(options) {
    await using stage = await Stage.open(clientPause.name, options);
    await stage.startLoad();
    const ms = stage.amount(5000, 2500);
    const begin = () =>
      inRedis(stage.stack.redis.url, (redis) =>
        redis.sendCommand(['CLIENT', 'PAUSE', String(ms), 'ALL']),
      );
    await suffer(stage, { ms, begin, end: () => {} }); // it ends by itself
    return await stage.settle();
  },
};

/** Redis answers everything, but later than anybody waits. */
export const slowRedis: Scenario = {
  name: 'slow-redis',
  should: 'say within two seconds that Redis is too slow, and recover within two',
  async run(options) {
    await using stage = await Stage.open(slowRedis.name, options);
    await using proxy = await DelayedRedis.inFrontOf(stage.stack.redis);
    await allReady(stage, 5000);
    await stage.startLoad();
    const hold = (delayMs: number) => () => {
      proxy.delayMs = delayMs;
    };
    const ms = stage.amount(8000, 3500);
    await suffer(stage, { ms, begin: hold(1500), end: hold(0) });
    return await stage.settle();
  },
};

/** Redis stops for long under full load: what waits for it must not pile up. */
export const outage60s: Scenario = {
  name: 'outage-60s',
  should: 'not grow by 50 MB over a long outage of Redis, and recover within two seconds',
  async run(options) {
    await using stage = await Stage.open(outage60s.name, options);
    await stage.startLoad();
    const before = await steadyUsesOf(stage.stack, stage.amount(60_000, 1500));
    const { redis } = stage.stack;
    const ms = stage.amount(60_000, 5000);
    await suffer(stage, { ms, begin: () => redis.pause(), end: () => redis.resume() });
    const after = await usesOf(stage.stack);
    stage.note(`RSS ${showUse(before, 'rssMb')} MB before, ${showUse(after, 'rssMb')} after`);
    const growth = after.map(({ rssMb }, i) => rssMb - (before[i]?.rssMb ?? 0));
    stage.require(Math.max(0, ...growth) < GROWTH_MB, `RSS grew by ${growth.join('/')} MB`);
    return await stage.settle();
  },
};

/**
 * Has Redis fail for a while, under load: every reply in time, every failure a clear 503, the
 * instances alive, and all well again soon after.
 */
async function suffer(stage: Stage, { ms, begin, end }: Outage): Promise<void> {
  const pids = await pidsOf(stage.stack);
  await stage.goOn(1000, 300);
  const beganAt = performance.now();
  await begin();
  await watchLives(stage, beganAt + ms);
  await end();
  await requireRecovery(stage, performance.now());
  await stage.stopLoad();
  stage.require(stage.failures.length > 0, 'the outage was not noticed: it proves nothing');
  requireClearFailures(stage);
  stage.require(
    (await pidsOf(stage.stack)).join() === pids.join(),
    'instances are other processes than before',
  );
}

/** Requires that every failure is a 503 with Retry-After, and every reply is in time. */
function requireClearFailures(stage: Stage): void {
  const unclear = stage.failures.filter(({ status, retryAfter }) => status !== 503 || !retryAfter);
  stage.require(unclear.length === 0, `not 503 with Retry-After: ${kinds(unclear)}`);
  stage.requireFasterThan(REPLY_MS);
}

/** Requires that, from two seconds after `at` on, all instances are ready and nothing fails. */
async function requireRecovery(stage: Stage, at: number): Promise<void> {
  await allReady(stage, BACK_MS);
  await stage.goOn(4000, 2500);
  const after = stage.failures.filter(({ from, ms }) => from + ms > at);
  const backAfter = Math.max(0, ...after.map(({ from, ms }) => from + ms - at));
  stage.note(`last failure ${Math.round(backAfter)} ms after its end`);
  const late = after.filter(({ from }) => from > at + BACK_MS);
  stage.require(late.length === 0, `still failing after ${BACK_MS} ms: ${kinds(late)}`);
}

async function allReady(stage: Stage, ms: number): Promise<void> {
  await stage.requireWithin(ms, 'all instances ready', async () => {
    for (const { name, port } of stage.stack.instances) {
      const { status } = await send(`http://127.0.0.1:${port}/readyz`);
      if (status !== 200) throw new Error(`${name} /readyz ${status}`);
    }
  });
}

/** Asks each instance whether it lives, again and again. */
async function watchLives(stage: Stage, until: number): Promise<void> {
  let slowest = 0;
  do {
    const replies = stage.stack.instances.map(async ({ name, port }) => {
      const reply = await send(`http://127.0.0.1:${port}/livez`);
      slowest = Math.max(slowest, reply.ms);
      stage.require(reply.status === 200, `${name} /livez ${reply.status}`);
    });
    await Promise.all([
      ...replies,
      delay(Math.max(0, Math.min(LOOK_MS, until - performance.now()))),
    ]);
  } while (performance.now() < until);
  stage.note(`slowest /livez ${Math.round(slowest)} ms`);
}

async function pidsOf(stack: Stack): Promise<(number | null)[]> {
  return (await Promise.all(stack.instances.map((instance) => instance.status()))).map(
    ({ pid }) => pid,
  );
}

/** Redis dies and comes back: with every change on disk before it is answered. */
export const redisKillAlways: Scenario = {
  name: 'redis-kill-always',
  should: 'lose nothing that was answered where Redis is killed, with appendfsync always',
  run: async (options) => killRedis(await Stage.open(redisKillAlways.name, options), 'always'),
};

/** Redis dies and comes back: with the disk a second behind. */
export const redisKillEverysec: Scenario = {
  name: 'redis-kill-everysec',
  should: 'lose at most the last second where Redis is killed, with appendfsync everysec',
  run: async (options) => killRedis(await Stage.open(redisKillEverysec.name, options), 'everysec'),
};

async function killRedis(opened: Stage, appendfsync: 'always' | 'everysec') {
  await using stage = opened;
  const { redis } = stage.stack;
  await stage.startLoad();
  const pids = await pidsOf(stage.stack);
  for (let round = 0; round < stage.amount(2, 1); round += 1) {
    // A Redis that was started again is set up as in its file.
    await inRedis(redis.url, (client) => client.configSet('appendfsync', appendfsync));
    await stage.goOn(2500, 1200);
    await redis.kill();
    if (appendfsync === 'everysec') stage.allowLoss(performance.now(), 1000);
    await stage.goOn(1000, 500);
    await redis.start();
    await requireRecovery(stage, performance.now());
  }
  await stage.stopLoad();
  stage.require(stage.failures.length > 0, 'the kill was not noticed: it proves nothing');
  requireClearFailures(stage);
  stage.require((await pidsOf(stage.stack)).join() === pids.join(), 'instances were replaced');
  return await stage.settle();
}
