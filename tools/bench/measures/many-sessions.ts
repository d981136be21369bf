import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { sessionKeys } from '../../../services/shared/session/keys.ts';
import { viewEvenly } from '../../lib/load.ts';
import { Random } from '../../lib/random.ts';
import { infoNumber, inRedis } from '../../lib/redis-client.ts';
import { percentile } from '../../lib/statistics.ts';
import { Visitor } from '../../lib/visitor.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';
import { copySession, lookUpSessions, onlySession, signedCookie } from './stored-sessions.ts';

const FEW = 1000;
const MANY = 200_000;
const ROUNDS = 9;
/** So long that 24 views are slower than the p99. */
const SECONDS = 6;
const PER_SECOND = 400;
/** How much slower the p99 may be with many sessions. */
const TARGET = { atMost: 1.2 };
/** A share of the memory of Redis; the instances refuse new state if more is used. */
const MAX_MEMORY = 0.9;

/** A stack with stored sessions, and the latency of their views by round. */
interface Side {
  url: string;
  /** Sessions that no instance has seen. */
  ids: string[];
  /** Deletes sessions, and stores as many new ones. */
  replace: (viewed: string[]) => Promise<void>;
  p50s: number[];
  p99s: number[];
}

/**
 * Compares the latency of views with few and with many stored sessions. Each round has new visitors on
 * both sides, who come a few times. The first view of a visitor costs an instance more, and of 200,000
 * visitors at random nearly all would be new: that would compare visitors, and not what is stored.
 */
export async function measureManySessions(): Promise<Figure[]> {
  const secret = randomBytes(32).toString('base64url');
  const env = { ...process.env, SESSION_SECRET: secret };
  await using fewStack = await Stack.start({ env });
  await using manyStack = await Stack.start({ env });
  const sides = [await fill(fewStack, FEW), await fill(manyStack, MANY)];
  const random = new Random(MANY);
  const view = async ({ url, ids, replace }: Side) => {
    const viewed = ids.splice(0, FEW);
    const cookies = viewed.map((id) => signedCookie(id, secret));
    const ms = await viewEvenly(url, () => random.pick(cookies), PER_SECOND, SECONDS);
    await replace(viewed);
    return ms;
  };
  for (const side of sides) await view(side); // to warm up
  for (let round = 0; round < ROUNDS; round += 1) {
    // In turn, so that other work on the machine affects both sides.
    for (const side of round % 2 ? sides.toReversed() : sides) {
      const ms = await view(side);
      side.p50s.push(percentile(ms, 0.5));
      side.p99s.push(percentile(ms, 0.99));
    }
  }
  await assertStored(manyStack, MANY);
  const [few, many] = sides as [Side, Side];
  const ratios = many.p99s.map((p99, round) => p99 / (few.p99s[round] ?? NaN));
  const latency = (name: string, samples: number[]) =>
    figure(name, 'ms', samples, {
      note: `GET / at ${PER_SECOND}/s by ${FEW} new visitors in each round`,
    });
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

async function fill(stack: Stack, count: number): Promise<Side> {
  await new Visitor(stack.url).view();
  const { url } = stack.redis;
  const [model, ids] = await inRedis(url, async (redis) => {
    await redis.configSet('auto-aof-rewrite-percentage', '0'); // it would slow down some rounds
    const id = await onlySession(redis);
    const copies = await copySession(redis, id, count);
    await lookUpSessions(redis, copies);
    while (!/^aof_pending_bio_fsync:0/m.test(await redis.info('persistence'))) await delay(100);
    return [id, copies] as const;
  });
  await assertStored(stack, count);
  const replace = (viewed: string[]) =>
    inRedis(url, async (redis) => {
      await redis.del(viewed.flatMap(sessionKeys));
      ids.push(...(await copySession(redis, model, viewed.length)));
    });
  return { url: stack.url, ids, replace, p50s: [], p99s: [] };
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
