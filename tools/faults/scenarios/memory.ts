import { randomBytes } from 'node:crypto';
import pLimit from 'p-limit';
import { infoNumber, inRedis, keysOf } from '../../lib/redis-client.ts';
import { type Reply, Visitor } from '../../lib/visitor.ts';
import type { Environment, Scenario } from '../environment.ts';

const VISITORS = 200;
/** Visitors that send requests at the same time. */
const AT_ONCE = 16;
const MB = 2 ** 20;
/** The free memory before the flood of cache entries. */
const FREE_FOR_CACHE = 20 * MB;
/** Cache entries that are sent to Redis at once. */
const ENTRIES_AT_ONCE = 1000;
/** The largest cart that is allowed: 50 items of 60 characters. */
const CART_ITEMS = Array.from({ length: 50 }, (_, i) => `${i}`.padStart(60, 'x'));
/** The most visitors with such carts, far more than fit into the memory. */
const MAX_CARTS = 2000;

/** Fills the memory of Redis: first with cache entries, then with carts. */
export const memory: Scenario = {
  name: 'memory',
  should: 'drop the cache before any session, and refuse new state rather than drop a session',
  async run(environment) {
    const { url } = environment.stack.redis;
    await environment.startLoad();
    const visitors = newVisitors(environment, VISITORS);
    await eachOf(visitors, (visitor) => visitor.view());

    await limitMemory(url, FREE_FOR_CACHE);
    const count = environment.amount(60_000, 30_000);
    const flood = Array.from({ length: count }, (_, i) => `cache:flood:${i}`);
    const value = randomBytes(512).toString('hex');
    const evicted = await inRedis(url, async (redis) => {
      for (let i = 0; i < count; i += ENTRIES_AT_ONCE) {
        const keys = flood.slice(i, i + ENTRIES_AT_ONCE);
        await Promise.all(keys.map((key) => redis.set(key, value, { EX: 60 })));
      }
      return infoNumber(redis, 'evicted_keys');
    });
    environment.note(`${count} cache entries of 1 KB into 20 MB: ${evicted} evicted`);
    environment.require(evicted > 0, 'the flood did not fill the memory');
    await requireSessions(environment, visitors, 2);
    await environment.stopLoad();

    await inRedis(url, (redis) => redis.del(flood));
    const before = await stateKeys(url);
    await limitMemory(url, environment.amount(2 * MB, MB / 2));
    const carts = await fillCarts(environment);
    const left = new Set(await stateKeys(url));
    const gone = before.filter((key) => !left.has(key)).length;
    environment.require(gone === 0, `${gone} of ${before.length} earlier keys evicted`);
    await inRedis(url, (redis) => redis.configSet('maxmemory', '0'));
    await requireSessions(environment, visitors, 3);
    await requireCarts(environment, carts);
  },
};

/** A visitor, and the number of items that were added to the cart with success. */
interface Cart {
  visitor: Visitor;
  added: number;
}

/** Fills carts until an item is refused. */
async function fillCarts(environment: Environment): Promise<Cart[]> {
  const all = newVisitors(environment, MAX_CARTS).map((visitor) => ({ visitor, added: 0 }));
  let refusal: Reply | undefined;
  await eachOf(all, async (cart) => {
    for (const item of CART_ITEMS) {
      if (refusal) return;
      const reply = await cart.visitor.post('/cart', { item, quantity: 1 });
      if (reply.status === 200) cart.added += 1;
      else refusal ??= reply;
    }
  });
  const filled = all.filter(({ added }) => added > 0);
  const refused = refusal ? `${refusal.status} ${refusal.body}` : 'no refusal';
  environment.note(`${filled.length} full carts, then ${refused.slice(0, 120)}`);
  const isClear = refusal?.status === 503 && refusal.headers['retry-after'] !== undefined;
  environment.require(isClear, `not refused with 503 and Retry-After: ${refused}`);
  return filled;
}

/** Requires that each visitor still has the session, and that this view has that number. */
async function requireSessions(environment: Environment, visitors: Visitor[], views: number) {
  let lost = 0;
  await eachOf(visitors, async (visitor) => {
    const seen = await visitor.view().catch(() => undefined);
    if (seen?.views !== views) lost += 1;
  });
  environment.require(lost === 0, `${lost} of ${visitors.length} sessions lost or changed`);
}

async function requireCarts(environment: Environment, carts: Cart[]): Promise<void> {
  let short = 0;
  await eachOf(carts, async ({ visitor, added }) => {
    const { status, body } = await visitor.send('/cart');
    if (status !== 200 || Object.keys(JSON.parse(body)).length < added) short += 1;
  });
  environment.require(short === 0, `${short} of ${carts.length} carts lost items`);
}

function newVisitors({ stack }: Environment, count: number): Visitor[] {
  return Array.from({ length: count }, () => new Visitor(stack.url));
}

async function eachOf<T>(items: T[], work: (item: T) => Promise<unknown>): Promise<void> {
  await pLimit(AT_ONCE).map(items, work);
}

/** All keys that belong to sessions. */
async function stateKeys(url: string): Promise<string[]> {
  return (await keysOf(url)).filter((key) => /^(sess|views|cart|profile):/.test(key));
}

/** Limits the memory of Redis to what it uses now and that many more bytes. */
async function limitMemory(url: string, free: number): Promise<void> {
  await inRedis(url, async (redis) => {
    const bytes = (await infoNumber(redis, 'used_memory')) + free;
    await redis.configSet('maxmemory', String(bytes));
  });
}
