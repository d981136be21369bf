// A Redis whose memory is full.
import { randomBytes } from 'node:crypto';
import { inRedis, keysOf } from '../../lib/redis-client.ts';
import { type Reply, Visitor } from '../../lib/visitor.ts';
import { type Scenario, Stage } from '../stage.ts';

const VISITORS = 200;
/** How many of them ask at once. */
const AT_ONCE = 16;
const MB = 2 ** 20;
/** How much memory the flood of cache entries finds. */
const ROOM_FOR_CACHE = 20 * MB;
/** The largest cart there can be: 50 items of 60 characters. */
const CART_ITEMS = Array.from({ length: 50 }, (_, i) => `${i}`.padStart(60, 'x'));
/** The most visitors that fill such carts; far more than there is room for. */
const MAX_FAT_VISITORS = 2000;

/** First a flood of cache entries, then more sessions than there is room for. */
export const memory: Scenario = {
  name: 'memory',
  should: 'drop the cache before any session, and refuse new state rather than drop a session',
  async run(options) {
    await using stage = await Stage.open(memory.name, options);
    const { redis } = stage.stack;
    await stage.startLoad();
    const visitors = Array.from({ length: VISITORS }, () => new Visitor(stage.stack.url));
    await eachOf(visitors, (visitor) => visitor.view());

    const base = await used(redis.url);
    await limit(redis.url, base + ROOM_FOR_CACHE);
    const entries = stage.amount(60_000, 30_000);
    await flood(redis.url, entries);
    const evicted = await number(redis.url, 'stats', 'evicted_keys');
    stage.note(`${entries} cache entries of 1 KB into 20 MB: ${evicted} evicted`);
    stage.require(evicted > 0, 'the flood filled no memory: it proves nothing');
    await requireUsable(stage, visitors, 2);
    await stage.stopLoad();
    stage.requireNoFailure();

    await forgetFlood(redis.url, entries);
    const before = await stateKeys(redis.url);
    await limit(redis.url, (await used(redis.url)) + stage.amount(2 * MB, MB / 2));
    const fat = await fillCarts(stage);
    const left = new Set(await stateKeys(redis.url));
    const gone = before.filter((key) => !left.has(key));
    stage.require(gone.length === 0, `${gone.length} of ${before.length} earlier keys evicted`);
    await limit(redis.url, 0); // room again, to see what is left
    await requireUsable(stage, visitors, 3);
    await requireCarts(stage, fat);
    return await stage.settle();
  },
};

/** A visitor, and how many items were put into the cart with success. */
interface Fat {
  visitor: Visitor;
  added: number;
}

/** Has visitors fill their carts until one is refused. */
async function fillCarts(stage: Stage): Promise<Fat[]> {
  const all = Array.from({ length: MAX_FAT_VISITORS }, () => ({
    visitor: new Visitor(stage.stack.url),
    added: 0,
  }));
  let refusal: Reply | undefined;
  await eachOf(all, async (fat) => {
    for (const item of CART_ITEMS) {
      if (refusal) return;
      const reply = await fat.visitor.send('/cart', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ item, quantity: 1 }),
      });
      if (reply.status === 200) fat.added += 1;
      else refusal ??= reply;
    }
  });
  const filled = all.filter(({ added }) => added > 0);
  const refused = refusal && `${refusal.status} ${refusal.body}`;
  stage.note(`${filled.length} full carts, then ${refused?.slice(0, 120) ?? 'no refusal'}`);
  stage.require(
    refusal?.status === 503 && refusal.headers['retry-after'] !== undefined,
    `never refused with 503 and Retry-After: ${refused ?? `${filled.length} carts accepted`}`,
  );
  return filled;
}

/** Requires that each visitor still has the session, at the view of that number. */
async function requireUsable(stage: Stage, visitors: Visitor[], views: number): Promise<void> {
  let forgotten = 0;
  await eachOf(visitors, async (visitor) => {
    const seen = await visitor.view().catch(() => undefined);
    if (seen?.views !== views) forgotten += 1;
  });
  stage.require(
    forgotten === 0,
    `${forgotten} of ${visitors.length} sessions are not as they were`,
  );
}

async function requireCarts(stage: Stage, all: Fat[]): Promise<void> {
  let short = 0;
  await eachOf(all, async ({ visitor, added }) => {
    const cart = await visitor.send('/cart');
    if (cart.status !== 200 || Object.keys(JSON.parse(cart.body)).length < added) short += 1;
  });
  stage.require(short === 0, `${short} of ${all.length} carts lost what was answered with success`);
}

/** Does something with each item, a few at once. */
async function eachOf<T>(items: T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items].reverse();
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await work(item);
  });
  await Promise.all(workers);
}

const floodKey = (i: number) => `cache:flood:${i}`;

async function flood(url: string, entries: number): Promise<void> {
  const value = randomBytes(512).toString('hex');
  await inBatches(entries, (keys) =>
    inRedis(url, (redis) => Promise.all(keys.map((key) => redis.set(key, value, { EX: 60 })))),
  );
}

async function forgetFlood(url: string, entries: number): Promise<void> {
  await inBatches(entries, (keys) => inRedis(url, (redis) => redis.del(keys)));
}

async function inBatches(entries: number, work: (keys: string[]) => Promise<unknown>) {
  const size = 1000;
  for (let from = 0; from < entries; from += size) {
    await work(Array.from({ length: size }, (_, i) => floodKey(from + i)));
  }
}

/** All keys that belong to sessions. */
async function stateKeys(url: string): Promise<string[]> {
  return (await keysOf(url)).filter((key) => /^(sess|views|cart|profile):/.test(key));
}

async function limit(url: string, bytes: number): Promise<void> {
  await inRedis(url, (redis) => redis.configSet('maxmemory', String(bytes)));
}

const used = (url: string) => number(url, 'memory', 'used_memory');

async function number(url: string, section: string, field: string): Promise<number> {
  const info = await inRedis(url, (redis) => redis.info(section));
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1]);
}
