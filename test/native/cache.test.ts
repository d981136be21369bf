import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { type Reply, send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';

/** Starts a stack with settings of its cache. */
const stackWith = (env: NodeJS.ProcessEnv = {}) => Stack.start({ env: { ...process.env, ...env } });

const invalidate = async (stack: Stack) =>
  expect((await send(`${stack.url}/data`, { method: 'DELETE' })).status).toBe(204);
const atOnce = (stack: Stack, times: number, path = '/data'): Promise<Reply[]> =>
  Promise.all(range(1, times).map(() => send(stack.url + path)));
const isNew = ({ body }: Reply) => body.startsWith('New Data: ');
const isCached = ({ body }: Reply) => body.startsWith('Cached Data: ');

/** Sums a metric over the running instances. */
async function sumOf(stack: Stack, metric: string): Promise<number> {
  const values = stack.instances
    .filter((instance) => instance.isRunning)
    .map(async ({ port }) => {
      const { body } = await send(`http://127.0.0.1:${port}/metrics`);
      const line = body.split('\n').find((text) => text.startsWith(metric));
      return Number(line?.split(' ').at(-1));
    });
  return (await Promise.all(values)).reduce((sum, value) => sum + value, 0);
}

describe('the cache of three instances', () => {
  it('should call the origin once for 100 requests at once', async () => {
    await using stack = await stackWith();
    const replies = await atOnce(stack, 100);
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(replies.filter(isNew)).toHaveLength(1);
    expect(replies.filter(isCached)).toHaveLength(99);
    expect(new Set(replies.map(({ headers }) => headers['x-instance'])).size).toBe(3);
    expect(await sumOf(stack, 'origin_calls_total')).toBe(1);
  });

  it.each([
    ['instance', 2, 3],
    ['off', 20, 100],
  ])('should call the origin more often with CACHE_GUARD=%s', async (guard, least, most) => {
    await using stack = await stackWith({ CACHE_GUARD: guard });
    const replies = await atOnce(stack, 100);
    const calls = await sumOf(stack, 'origin_calls_total');
    expect(calls).toBeGreaterThanOrEqual(least);
    expect(calls).toBeLessThanOrEqual(most);
    expect(replies.filter(isNew)).toHaveLength(calls);
  });

  it('should call the origin once more if the instance that called it is killed', async () => {
    await using stack = await stackWith({ ORIGIN_DELAY_MS: '400', REQUEST_TIMEOUT_MS: '5000' });
    const [first] = stack.instances;
    const lost = send(`http://127.0.0.1:${first?.port}/data`).catch(() => 'lost');
    await eventually(() =>
      inRedis(stack.topology.url, async (redis) => {
        expect(await redis.exists('cache:lock:{data}')).toBe(1);
      }),
    );
    await first?.kill();
    expect(await lost).toBe('lost');
    const replies = await atOnce(stack, 60);
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(Math.max(...replies.map(({ ms }) => ms))).toBeLessThan(1700); // the lock expires, then one load
    expect(await sumOf(stack, 'origin_calls_total')).toBe(1);
  });

  it('should drop an invalidated entry on all instances within 100 ms', async () => {
    await using stack = await stackWith({ ORIGIN_DELAY_MS: '0' });
    const json = { headers: { accept: 'application/json' } };
    for (const _ of range(1, 10)) {
      for (const _ of range(1, 6)) await send(`${stack.url}/data`); // all instances cache it
      const { load } = JSON.parse((await send(`${stack.url}/data`, json)).body);
      await invalidate(stack);
      await delay(100);
      for (const { port } of stack.instances) {
        const reply = await send(`http://127.0.0.1:${port}/data`, json);
        expect(JSON.parse(reply.body).load).toBeGreaterThan(load);
      }
    }
  });

  it.each(['text/plain', 'application/json'])(
    'should say in the headers where %s was found',
    async (accept) => {
      await using stack = await stackWith();
      const [first, second] = stack.instances.map(({ port }) => `http://127.0.0.1:${port}/data`);
      const seen: unknown[] = [];
      for (const url of [first, second, second]) {
        const { headers } = await send(url ?? '', { headers: { accept } });
        seen.push([headers['x-cache'], headers['cache-status']]);
      }
      expect(seen).toEqual([
        ['MISS', 'redis; fwd=miss; stored, local; fwd=miss'],
        ['HIT', 'redis; hit, local; fwd=miss'],
        ['HIT', 'local; hit'],
      ]);
      expect(await sumOf(stack, 'cache_lookups_total{result="local"')).toBe(1);
      expect(await sumOf(stack, 'cache_lookups_total{result="redis"')).toBe(1);
      expect(await sumOf(stack, 'cache_lookups_total{result="miss"')).toBe(1);
    },
  );

  it('should serve a stale entry after its TTL, and refresh it', async () => {
    await using stack = await stackWith({ CACHE_TTL_SECONDS: '1', CACHE_STALE_SECONDS: '30' });
    const [made] = await atOnce(stack, 1);
    expect(made?.headers['x-cache']).toBe('MISS');
    await delay(1000);
    const stale = await send(`${stack.url}/data`);
    expect(stale.headers['x-cache']).toBe('STALE');
    expect(stale.body).toBe('Cached Data: This is the new data');
    await eventually(async () => {
      expect((await send(`${stack.url}/data`)).headers['x-cache']).toBe('HIT');
    });
    expect(await sumOf(stack, 'origin_calls_total')).toBe(2);
  });

  it('should answer 502 if the origin fails and nothing is cached', async () => {
    await using stack = await stackWith({ ORIGIN_FAILURE_PERCENT: '100', ORIGIN_DELAY_MS: '10' });
    for (const { status, headers, body } of await atOnce(stack, 10)) {
      expect(status).toBe(502);
      expect(headers['content-type']).toMatch('application/problem+json');
      expect(JSON.parse(body)).toMatchObject({ detail: 'The origin of this data fails now.' });
    }
    const keys = await inRedis(stack.topology.url, (redis) => redis.keys('cache:{data}'));
    expect(keys).toEqual([]);
    expect(await sumOf(stack, 'origin_failures_total')).toBeGreaterThan(0);
  });

  it('should serve a catalog, and call the origin once for an item that is not in it', async () => {
    await using stack = await stackWith();
    const item = `${stack.url}/data/item-7`;
    expect((await send(item)).body).toBe('New Data: This is item-7');
    expect((await send(item)).body).toBe('Cached Data: This is item-7');
    expect((await send(item, { method: 'DELETE' })).status).toBe(204);
    expect((await send(item)).body).toBe('New Data: This is item-7');
    const before = await sumOf(stack, 'origin_calls_total');
    const missing = await atOnce(stack, 50, '/data/item-1001');
    expect(missing.map(({ status }) => status)).toEqual(missing.map(() => 404));
    expect(await sumOf(stack, 'origin_calls_total')).toBe(before + 1);
    for (const path of ['/data/a%20b', `/data/${'x'.repeat(65)}`, '/data/lock:data']) {
      expect((await send(stack.url + path)).status, path).toBe(404);
    }
    expect(await sumOf(stack, 'origin_calls_total')).toBe(before + 1);
  });

  it('should answer from the origin while Redis is down, and from the cache afterwards', async () => {
    await using stack = await stackWith();
    await atOnce(stack, 6);
    await stack.redis.kill();
    await eventually(async () => {
      const replies = await atOnce(stack, 30);
      expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
      expect(new Set(replies.map(({ headers }) => headers['x-cache']))).toEqual(
        new Set(['BYPASS']),
      );
      expect(replies.every(isNew)).toBe(true);
    });
    await stack.redis.start();
    await eventually(async () => {
      const replies = await atOnce(stack, 6);
      expect(new Set(replies.map(({ headers }) => headers['x-cache']))).toEqual(new Set(['HIT']));
    });
  });

  it('should answer in time while Redis hangs', async () => {
    await using stack = await stackWith();
    await atOnce(stack, 6);
    stack.redis.pause();
    const from = performance.now();
    while (performance.now() - from < 2500) {
      for (const { status, ms } of await atOnce(stack, 3)) {
        expect(status).toBe(200);
        expect(ms).toBeLessThan(1500);
      }
    }
    stack.redis.resume();
  });

  it('should store nothing with CACHE=off, and only in Redis with CACHE=redis', async () => {
    await using off = await stackWith({ CACHE: 'off', ORIGIN_DELAY_MS: '0' });
    for (const _ of range(1, 4)) expect((await atOnce(off, 1)).every(isNew)).toBe(true);
    expect(await inRedis(off.topology.url, (redis) => redis.keys('cache:*'))).toEqual([]);
    await off.close();
    await using shared = await stackWith({ CACHE: 'redis' });
    await atOnce(shared, 1);
    for (const { headers } of await atOnce(shared, 9)) {
      expect(headers['cache-status']).toBe('redis; hit, local; fwd=miss');
    }
  });
});
