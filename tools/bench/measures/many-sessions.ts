import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { viewEvenly } from '../../lib/load.ts';
import { Random } from '../../lib/random.ts';
import { infoNumber, inRedis } from '../../lib/redis-client.ts';
import { percentile } from '../../lib/statistics.ts';
import { Visitor } from '../../lib/visitor.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';
import { copySession, onlySession, signedCookie } from './stored-sessions.ts';

const FEW = 1000;
const MANY = 200_000;
const ROUNDS = 9;
const SECONDS = 4;
const PER_SECOND = 400;
const WARM_UP_SECONDS = 5;
/** How much slower the p99 may be with many sessions. */
const TARGET = { atMost: 1.2 };
/** A share of the memory of Redis; the instances refuse new state if more is used. */
const MAX_MEMORY = 0.9;

/** A stack with stored sessions, and the latency of their views by round. */
interface Side {
  url: string;
  nextCookie: () => string;
  p50s: number[];
  p99s: number[];
}

/** Compares the latency of views with few and with many stored sessions. */
export async function measureManySessions(): Promise<Figure[]> {
  const secret = randomBytes(32).toString('base64url');
  const env = { ...process.env, SESSION_SECRET: secret };
  await using fewStack = await Stack.start({ env });
  await using manyStack = await Stack.start({ env });
  const few = await fill(fewStack, FEW, secret);
  const many = await fill(manyStack, MANY, secret);
  for (const side of [few, many])
    await viewEvenly(side.url, side.nextCookie, PER_SECOND, WARM_UP_SECONDS);
  for (let round = 0; round < ROUNDS; round += 1) {
    // In turn, so that other work on the machine affects both sides.
    for (const side of round % 2 ? [many, few] : [few, many]) {
      const ms = await viewEvenly(side.url, side.nextCookie, PER_SECOND, SECONDS);
      side.p50s.push(percentile(ms, 0.5));
      side.p99s.push(percentile(ms, 0.99));
    }
  }
  await assertStored(manyStack, MANY);
  const ratios = many.p99s.map((p99, round) => p99 / (few.p99s[round] ?? NaN));
  const latency = (name: string, samples: number[]) =>
    figure(name, 'ms', samples, { note: `GET / at ${PER_SECOND}/s by visitors at random` });
  return [
    latency(`p50, ${FEW} sessions`, few.p50s),
    latency(`p50, ${MANY} sessions`, many.p50s),
    latency(`p99, ${FEW} sessions`, few.p99s),
    latency(`p99, ${MANY} sessions`, many.p99s),
    figure('p99, many over few', 'times', ratios, {
      target: TARGET,
      note: `two stacks in turn, ${ROUNDS} rounds of ${SECONDS} s each`,
    }),
  ];
}

async function fill(stack: Stack, count: number, secret: string): Promise<Side> {
  await new Visitor(stack.url).view();
  const ids = await inRedis(stack.redis.url, async (redis) => {
    const copies = await copySession(redis, await onlySession(redis), count);
    // After so many changes Redis rewrites its append-only file.
    while (/^aof_rewrite_(in_progress|scheduled):1/m.test(await redis.info('persistence'))) {
      await delay(100);
    }
    return copies;
  });
  await assertStored(stack, count);
  const random = new Random(count);
  const nextCookie = () => signedCookie(random.pick(ids), secret);
  return { url: stack.url, nextCookie, p50s: [], p99s: [] };
}

/** @throws {Error} if Redis has evicted sessions, or has no memory for more */
async function assertStored(stack: Stack, count: number): Promise<void> {
  await inRedis(stack.redis.url, async (redis) => {
    const [used = 0, max = 0, evicted = 0] = await Promise.all(
      ['used_memory', 'maxmemory', 'evicted_keys'].map((field) => infoNumber(redis, field)),
    );
    if (used / max <= MAX_MEMORY && evicted === 0) return;
    throw new Error(`${count} sessions take ${Math.round((100 * used) / max)} % of the memory`);
  });
}
