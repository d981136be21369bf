// Instances that die, end, come, hang or are slow.

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ManagedProcess } from '../../stack/managed-process.ts';
import { type Result, type Scenario, Stage } from '../stage.ts';

/** Milliseconds from one kill to the next. */
const KILL_EVERY_MS = 2000;
/** Milliseconds that an instance has to end once asked to. */
const END_MS = 10_000;
/** The most milliseconds that a visitor is kept waiting by an instance that hangs, or a slow route. */
const PATIENCE_MS = 3000;
/** Milliseconds after which a person begins to wonder. */
const SLOW_MS = 1000;

/** Instances crash, one after the other. */
export const kill: Scenario = {
  name: 'kill',
  should: 'lose, double and fail nothing where instances are killed',
  async run(options) {
    await using stage = await Stage.open(kill.name, options);
    await stage.startLoad();
    const until = performance.now() + stage.amount(30_000, 3000);
    let kills = 0;
    while (performance.now() < until) {
      const next = delay(KILL_EVERY_MS);
      const instance = stage.random.pick(stage.stack.instances);
      await instance.kill();
      await instance.start();
      kills += 1;
      await next;
    }
    await stage.stopLoad();
    stage.note(`${kills} kills`);
    stage.requireNoFailure();
    return await stage.settle();
  },
};

/** Every instance is replaced in order, as for a new version. */
export const rolling: Scenario = {
  name: 'rolling',
  should: 'lose, double and fail nothing where one instance after the other is restarted',
  async run(options) {
    await using stage = await Stage.open(rolling.name, options);
    await stage.startLoad();
    const rounds = stage.amount(2, 1);
    let slowest = 0;
    for (let round = 0; round < rounds; round += 1) {
      for (const instance of stage.stack.instances) {
        const { ms, reason } = await stop(instance);
        slowest = Math.max(slowest, ms);
        stage.require(reason === 'exit code 0', `${instance.name} ended with ${reason}`);
        stage.require(ms < END_MS, `${instance.name} took ${ms} ms to end`);
        await instance.start();
      }
    }
    await stage.goOn(1000, 300);
    await stage.stopLoad();
    stage.note(`${rounds} rounds, the slowest end took ${slowest} ms`);
    stage.requireNoFailure();
    return await stage.settle();
  },
};

/** Stops an instance: how it ended, and how long that took. */
async function stop(instance: ManagedProcess): Promise<{ ms: number; reason: string }> {
  const from = performance.now();
  const ended = once(instance, 'end');
  await instance.stop();
  const [reason] = await ended;
  return { ms: Math.round(performance.now() - from), reason };
}

/** More instances, and fewer. */
export const scale: Scenario = {
  name: 'scale',
  should: 'lose, double and fail nothing where instances are added and taken out',
  async run(options) {
    await using stage = await Stage.open(scale.name, options);
    await stage.startLoad();
    for (const count of [6, 1, 3]) {
      await stage.goOn(2000, 300);
      await stage.stack.scale(count);
    }
    await stage.goOn(2000, 500);
    await stage.stopLoad();
    const seen = new Set(stage.outcomes.flatMap(({ instance }) => instance ?? []));
    stage.note(`3, 6, 1, 3 instances; ${seen.size} answered`);
    stage.require(seen.size >= 6, `only ${seen.size} instances ever answered`);
    stage.requireNoFailure();
    return await stage.settle();
  },
};

/** An instance stops in its tracks and goes on later, with old requests in its hands. */
export const hang: Scenario = {
  name: 'hang',
  should: 'go on without an instance that hangs, take it back, and count nothing twice',
  run: async (options) => hangFor(await Stage.open(hang.name, options), 10_000, 3500),
};

/** An instance goes on when everybody has forgotten what it was asked. */
export const longHang: Scenario = {
  name: 'long-hang',
  should: 'count nothing twice where an instance hung for more than a minute',
  isLong: true,
  run: async (options) => hangFor(await Stage.open(longHang.name, options), 75_000, 75_000),
};

async function hangFor(opened: Stage, longMs: number, shortMs: number): Promise<Result> {
  await using stage = opened;
  await stage.startLoad();
  await stage.goOn(1000, 500);
  const instance = stage.random.pick(stage.stack.instances);
  const askedAt = performance.now();
  instance.pause();
  await stage.goOn(longMs, shortMs);
  instance.resume();
  const resumedAt = performance.now();
  const isBack = () =>
    stage.outcomes.some(({ from, instance: by }) => from > resumedAt && by === instance.name);
  await stage.requireWithin(5000, `${instance.name} takes part again`, () => {
    if (!isBack()) throw new Error('no reply of it yet');
  });
  stage.note(`${instance.name} was back ${Math.round(performance.now() - resumedAt)} ms after`);
  await stage.goOn(3000, 500); // it works off what it was sent while it hung
  await stage.stopLoad();
  const during = stage.outcomes.filter(({ from }) => from > askedAt && from < resumedAt);
  const slow = during.filter(({ ms }) => ms > SLOW_MS);
  stage.note(`${during.length} requests while it hung, ${slow.length} slower than ${SLOW_MS} ms`);
  stage.requireNoFailure();
  stage.requireFasterThan(PATIENCE_MS);
  return await stage.settle();
}

/** One route is slower than anybody waits; the others must not suffer for it. */
export const slowRoute: Scenario = {
  name: 'slow-route',
  should: 'answer the other routes from all instances while one route is too slow for anybody',
  async run(options) {
    const env = { ORIGIN_DELAY_MS: '8000', CACHE: 'off', CACHE_GUARD: 'off' };
    await using stage = await Stage.open(slowRoute.name, options, env);
    await stage.startLoad();
    await stage.goOn(12_000, 4500);
    await stage.stopLoad();
    const data = stage.outcomes.filter(({ request }) => request === 'GET /data');
    stage.note(`GET /data: ${data.length}, the slowest ${slowestOf(data)} ms`);
    const odd = data.filter(({ status }) => status !== 503 && status !== 504);
    const statuses = [...new Set(odd.map(({ status }) => status))].join(', ');
    stage.require(
      odd.length === 0,
      `${odd.length} x GET /data answered ${statuses}, not 503 or 504`,
    );
    stage.requireFasterThan(PATIENCE_MS);
    stage.requireNoFailure(({ request }) => request !== 'GET /data');
    const others = stage.outcomes.filter(({ request }) => request !== 'GET /data');
    stage.note(`the others: ${others.length}, the slowest ${slowestOf(others)} ms`);
    const late = others.slice(-Math.ceil(others.length / 2));
    const seen = new Set(late.map(({ instance }) => instance));
    stage.require(seen.size === 3, `in the second half ${seen.size} instances answered, not 3`);
    return await stage.settle();
  },
};

function slowestOf(outcomes: { ms: number }[]): number {
  return Math.round(Math.max(0, ...outcomes.map(({ ms }) => ms)));
}
