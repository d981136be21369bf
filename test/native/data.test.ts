import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inRedis, keysOf } from '../../tools/lib/redis-client.ts';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';

/** Milliseconds after an invalidation until no instance returns the old entry. */
const INVALIDATION_MS = 100;

describe('GET /data', () => {
  let stack: Stack;
  const data = (accept = '*/*') => send(`${stack.url}/data`, { headers: { accept } });

  beforeAll(async () => {
    const env = { ...process.env, CACHE_TTL_SECONDS: '30', ORIGIN_DELAY_MS: '150' };
    stack = await Stack.start({ env });
  });
  afterAll(() => stack?.close());
  beforeEach(async () => {
    expect((await send(`${stack.url}/data`, { method: 'DELETE' })).status).toBe(204);
    await delay(INVALIDATION_MS);
  });

  it('should be new once, then cached on every instance', async () => {
    const first = await data();
    expect(first.body).toBe('New Data: This is the new data');
    expect(first.headers).toMatchObject({ 'x-cache': 'MISS', age: '0' });
    expect(first.ms).toBeGreaterThanOrEqual(150);

    const others = [await data(), await data(), await data()];
    for (const { body, headers } of others) {
      expect(body).toBe('Cached Data: This is the new data');
      expect(headers['x-cache']).toBe('HIT');
    }
    expect(new Set(others.map(({ headers }) => headers['x-instance'])).size).toBe(3);
  });

  it('should say in JSON which instance loaded it and when', async () => {
    const from = Date.now();
    const first = await data('application/json');
    const second = await data('application/json');
    const made = JSON.parse(first.body);
    expect(made).toEqual({
      data: 'This is the new data',
      cached: false,
      madeBy: first.headers['x-instance'],
      madeAt: expect.any(String),
      load: expect.any(Number),
    });
    expect(Date.parse(made.madeAt)).toBeGreaterThanOrEqual(from);
    expect(Date.parse(made.madeAt)).toBeLessThanOrEqual(Date.now());
    expect(JSON.parse(second.body)).toEqual({ ...made, cached: true });
  });

  it('should state its age in seconds', async () => {
    const madeAt = Date.now() - 12_000;
    const entry = { data: 'as stored', madeBy: 'app-1', madeAt, token: 1, staleMs: 0 };
    await inRedis(stack.topology.url, (redis) => redis.set('cache:{data}', JSON.stringify(entry)));
    const age = Number((await data()).headers.age);
    expect(age).toBeGreaterThanOrEqual(12);
    expect(age).toBeLessThanOrEqual((Date.now() - madeAt) / 1000);
  });

  it('should be cached for CACHE_TTL_SECONDS, and stale for half as long', async () => {
    await data();
    const ttl = await inRedis(stack.topology.url, (redis) => redis.pTTL('cache:{data}'));
    expect(ttl).toBeGreaterThan((0.9 * 30 + 15) * 1000 - 1000); // up to a tenth less, to spread expiry
    expect(ttl).toBeLessThanOrEqual((30 + 15) * 1000);
  });

  it('should be new again after an invalidation', async () => {
    await data();
    await send(`${stack.url}/data`, { method: 'DELETE' });
    expect((await data()).headers['x-cache']).toBe('MISS');
  });

  it('should not touch a session', async () => {
    const visitor = await send(`${stack.url}/`);
    const cookie = visitor.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const before = await keysOf(stack.topology.url);
    const reply = await send(`${stack.url}/data`, { headers: { cookie } });
    expect(reply.headers['set-cookie']).toBeUndefined();
    const added = (await keysOf(stack.topology.url)).filter((key) => !before.includes(key));
    expect(added.filter((key) => !key.startsWith('cache:'))).toEqual([]);
    expect(added).toContain('cache:{data}');
  });
});
