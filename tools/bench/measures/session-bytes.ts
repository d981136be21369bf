import type { RedisClientType } from 'redis';
import { sessionKeys } from '../../../services/shared/session/keys.ts';
import { inRedis } from '../../lib/redis-client.ts';
import { Visitor } from '../../lib/visitor.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';
import { copySession, onlySession } from './stored-sessions.ts';

const MANY = 10_000;
const CART = ['tea', 'coffee', 'milk'];

/** How much memory a session takes in Redis. */
export async function measureSessionBytes(): Promise<Figure[]> {
  await using stack = await Stack.start();
  return await inRedis(stack.redis.url, async (redis) => {
    const visitor = new Visitor(stack.url);
    await visitor.view();
    const id = await onlySession(redis);
    const viewed = await bytesOf(redis, sessionKeys(id));
    const seen = await bytesOf(redis, await redis.keys('seen:*'));
    const before = await usedMemory(redis);
    const copies = await copySession(redis, id, MANY);
    const each = ((await usedMemory(redis)) - before) / MANY;
    await redis.del(copies.flatMap(sessionKeys));

    await post(visitor, '/login', { name: 'Ada' });
    for (const item of CART) await post(visitor, '/cart', { item, quantity: 1 });
    const shopper = await bytesOf(redis, sessionKeys(await onlySession(redis)));

    const keys = 'by MEMORY USAGE of its keys';
    return [
      figure('session, 1 view', 'bytes', [viewed], { note: keys }),
      figure('session, logged in, 3 items', 'bytes', [shopper], { note: keys }),
      figure('id of one change', 'bytes', [seen], {
        note: 'by MEMORY USAGE; besides, for 60 s after each view or other change',
      }),
      figure('session, 1 view, of many', 'bytes', [Math.round(each)], {
        note: `growth of used_memory over ${MANY} sessions, with all that Redis keeps of them`,
      }),
    ];
  });
}

async function post(visitor: Visitor, path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const reply = await visitor.send(path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (reply.status !== 200) throw new Error(`POST ${path} answered ${reply.status}: ${reply.body}`);
}

/** Bytes of those keys that there are. */
async function bytesOf(redis: RedisClientType, keys: string[]): Promise<number> {
  const bytes = await Promise.all(keys.map((key) => redis.memoryUsage(key)));
  return bytes.reduce<number>((sum, each) => sum + (each ?? 0), 0);
}

/** Bytes that Redis has in use. */
export async function usedMemory(redis: RedisClientType): Promise<number> {
  const info = await redis.info('memory');
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
}
