import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisClientType } from 'redis';
import { Random } from '../../faults/random.ts';
import { inRedis } from '../../lib/redis-client.ts';
import { Visitor } from '../../lib/visitor.ts';
import { Stack } from '../../stack/stack.ts';
import { percentile } from '../figures.ts';
import { type Figure, figure } from './figure.ts';
import { pace } from './load.ts';
import { copySession, onlySession, signedCookie } from './stored-sessions.ts';

const FEW = 1000;
const MANY = 200_000;
const ROUNDS = 9;
const SECONDS = 4;
const PER_SECOND = 400;
const WARM_UP_SECONDS = 5;
/** How much slower the slowest hundredth of the requests may be with many sessions. */
const TARGET = { atMost: 1.2 };
/** Of its memory; over it the instances store nothing new. */
const MOST_MEMORY = 0.9;

/** A stack with sessions in it, and how long views of them took, by round. */
interface Side {
  url: string;
  nextCookie: () => string;
  p50s: number[];
  p99s: number[];
}

/** Whether a view takes longer where very many sessions are stored. */
export async function measureManySessions(): Promise<Figure[]> {
  const secret = randomBytes(32).toString('base64url');
  const env = { ...process.env, SESSION_SECRET: secret };
  await using fewStack = await Stack.start({ env });
  await using manyStack = await Stack.start({ env });
  const few = await fill(fewStack, FEW, secret);
  const many = await fill(manyStack, MANY, secret);
  for (const side of [few, many])
    await pace(side.url, PER_SECOND, WARM_UP_SECONDS, side.nextCookie);
  for (let round = 0; round < ROUNDS; round += 1) {
    // In turn, so that what else the machine does is divided evenly.
    for (const side of round % 2 ? [many, few] : [few, many]) await measure(side);
  }
  await assertStored(manyStack, MANY);
  const ratios = many.p99s.map((p99, round) => p99 / (few.p99s[round] ?? Number.NaN));
  const rate = `GET / at ${PER_SECOND}/s by visitors at random`;
  return [
    figure(`p50, ${FEW} sessions`, 'ms', few.p50s, { note: rate }),
    figure(`p50, ${MANY} sessions`, 'ms', many.p50s, { note: rate }),
    figure(`p99, ${FEW} sessions`, 'ms', few.p99s, { note: rate }),
    figure(`p99, ${MANY} sessions`, 'ms', many.p99s, { note: rate }),
    figure('p99, many over few', 'times', ratios, {
      target: TARGET,
      note: `two stacks in turn, ${ROUNDS} rounds of ${SECONDS} s each`,
    }),
  ];
}

async function fill(stack: Stack, count: number, secret: string): Promise<Side> {
  await new Visitor(stack.url).view();
  const ids = await inRedis(stack.redis.url, async (redis) => {
    const ids = await copySession(redis, await onlySession(redis), count);
    while (await isRewriting(redis)) await delay(100);
    return ids;
  });
  await assertStored(stack, count);
  const random = new Random(count);
  const nextCookie = () => signedCookie(random.pick(ids), secret);
  return { url: stack.url, nextCookie, p50s: [], p99s: [] };
}

/** Tells whether Redis is busy rewriting its log of all changes, as it is after very many. */
async function isRewriting(redis: RedisClientType): Promise<boolean> {
  return /^aof_rewrite_(in_progress|scheduled):1/m.test(await redis.info('persistence'));
}

/** Makes sure that Redis holds all of the sessions, and has room for more. */
async function assertStored(stack: Stack, count: number): Promise<void> {
  const info = await inRedis(stack.redis.url, (redis) => redis.info());
  const number = (field: string) => Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1]);
  const share = number('used_memory') / number('maxmemory');
  if (share > MOST_MEMORY || number('evicted_keys') > 0) {
    throw new Error(`${count} sessions take ${Math.round(share * 100)} % of the memory of Redis`);
  }
}

async function measure(side: Side): Promise<void> {
  const ms = await pace(side.url, PER_SECOND, SECONDS, side.nextCookie);
  side.p50s.push(percentile(ms, 0.5));
  side.p99s.push(percentile(ms, 0.99));
}
