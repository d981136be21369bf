import type { RedisClientType } from 'redis';
import { appliedKeys, sessionKeys } from '../../../services/shared/session/keys.ts';
import { infoNumber, inRedis } from '../../lib/redis-client.ts';
import { sum } from '../../lib/statistics.ts';
import { Visitor } from '../../lib/visitor.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';
import { copySession, onlySession } from './stored-sessions.ts';

const MANY = 10_000;
const CART = ['tea', 'coffee', 'milk'];

/** Measures the memory that a session takes in Redis. */
export async function measureSessionBytes(): Promise<Figure[]> {
  await using stack = await Stack.start();
  return await inRedis(stack.redis.url, async (redis) => {
    const visitor = new Visitor(stack.url);
    await visitor.view();
    const id = await onlySession(redis);
    const viewed = await bytesOf(redis, sessionKeys(id));
    const applied = await bytesOf(redis, appliedKeys(id));
    const ofMany = await growth(redis, id);

    await visitor.post('/login', { name: 'Ada' });
    for (const item of CART) await visitor.post('/cart', { item, quantity: 1 });
    const cart = await visitor.send('/cart');
    if (Object.keys(JSON.parse(cart.body)).length !== CART.length) throw new Error(cart.body);
    const shopperId = await onlySession(redis);
    const shopper = await bytesOf(redis, sessionKeys(shopperId));
    const shopperOfMany = await growth(redis, shopperId);

    const bytes = (name: string, value: number, note = 'by MEMORY USAGE of its keys') =>
      figure(name, 'bytes', [value], { note });
    const after = 'by MEMORY USAGE; besides, for 4 minutes after a view or other change';
    const all = `growth of used_memory over ${MANY} sessions, with all that Redis keeps of them`;
    return [
      bytes('session, 1 view', viewed),
      bytes('session, logged in, 3 items', shopper),
      bytes('idempotency key of a visitor', applied, after),
      bytes('session, 1 view, of many', ofMany, all),
      bytes('session, logged in, 3 items, of many', shopperOfMany, all),
    ];
  });
}

/** Bytes by which the memory of Redis grows with each of many copies of a session. */
async function growth(redis: RedisClientType, id: string): Promise<number> {
  const before = await infoNumber(redis, 'used_memory');
  const copies = await copySession(redis, id, MANY);
  const after = await infoNumber(redis, 'used_memory');
  await redis.del(copies.flatMap(sessionKeys));
  return Math.round((after - before) / MANY);
}

/** The size of the keys that exist. */
async function bytesOf(redis: RedisClientType, keys: string[]): Promise<number> {
  const bytes = await Promise.all(keys.map((key) => redis.memoryUsage(key)));
  return sum(bytes.map((each) => each ?? 0));
}
