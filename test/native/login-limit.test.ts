import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { runInstance } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { RedisAlone } from '../support/redis-alone.ts';
import { Shopper } from '../support/shop.ts';
import { isSpread } from '../support/topology.ts';

const LIMIT = 5;

describe(`LOGIN_LIMIT=${LIMIT}`, () => {
  let stack: Stack;
  beforeAll(async () => {
    const env = { ...process.env, LOGIN_LIMIT: String(LIMIT) };
    stack = await Stack.start({ env, trustedProxies: ['127.0.0.0/8', '::1'] });
  });
  afterAll(() => stack?.close());
  const logIn = (name: string, from = '192.0.2.1', visitor = new Shopper(stack.url)) =>
    visitor.post('/login', { name }, { headers: { 'x-forwarded-for': from } });
  const statuses = async (name: string, times: number, from?: string) => {
    const replies = await Promise.all(range(1, times).map(() => logIn(name, from)));
    return replies.map(({ status }) => status).sort();
  };
  const limitKeys = async () => {
    const keys = await inRedis(stack.topology.url, (redis) => redis.keys('*'));
    return keys.filter((key) => key.startsWith('limit:'));
  };

  it('should be counted by all instances together, and be told in standard headers', async () => {
    const replies = [];
    for (const _ of range(1, LIMIT)) replies.push(await logIn('Ada'));
    expect(replies.map(({ status }) => status)).toEqual(range(1, LIMIT).map(() => 200));
    expect(new Set(replies.map(({ headers }) => headers['x-instance'])).size).toBe(3);
    const policy = new RegExp(`^"login"; q=${LIMIT}; w=60; pk=:\\S+:$`);
    for (const [i, { headers }] of replies.entries()) {
      expect(headers['ratelimit-policy']).toMatch(policy);
      expect(headers.ratelimit).toMatch(new RegExp(`^"login"; r=${LIMIT - 1 - i}; t=(60|5\\d)$`));
    }
    const instances = new Set<unknown>();
    for (const _ of range(1, 3)) {
      const { status, headers, body } = await logIn('Ada');
      instances.add(headers['x-instance']);
      expect(status).toBe(429);
      expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(JSON.parse(body)).toMatchObject({ status: 429, title: 'Too Many Requests' });
      expect(Number(headers['retry-after'])).toBeGreaterThan(30);
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(60);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect(instances.size).toBe(3);
  });

  it('should let exactly as many of 40 logins at once pass', async () => {
    const expected = range(1, 40).map((i) => (i <= LIMIT ? 200 : 429));
    expect(await statuses('at once', 40)).toEqual(expected);
  });

  it('should not count together what has another name, or comes from another address', async () => {
    expect(await statuses('Eve', LIMIT + 1)).toContain(429);
    expect((await logIn('Bob')).status).toBe(200);
    expect((await logIn('Eve', '192.0.2.2')).status).toBe(200);
    expect((await logIn('Eve')).status).toBe(429);
    const class40 = await Promise.all(range(1, 40).map((i) => logIn(`laptop ${i}`)));
    expect(class40.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('should count all addresses of an IPv6 subnet of 56 bits as one', async () => {
    const from = (i: number) => `2001:db8:0:${(0xab00 + i).toString(16)}::${i}`;
    for (const i of range(1, LIMIT)) expect((await logIn('Ipv6', from(i))).status).toBe(200);
    expect((await logIn('Ipv6', from(0xff))).status).toBe(429);
    expect((await logIn('Ipv6', from(0x100))).status).toBe(200); // the next subnet
  });

  it('should not be avoided by a client that claims another address', async () => {
    await using own = await Stack.start({ env: { ...process.env, LOGIN_LIMIT: '1' } });
    const from = (address: string) =>
      new Shopper(own.url).post(
        '/login',
        { name: 'Ada' },
        { headers: { 'x-forwarded-for': address } },
      );
    expect((await from('192.0.2.1')).status).toBe(200);
    expect((await from('192.0.2.2')).status).toBe(429);
  });

  it('should leave the session of a refused visitor as it was', async () => {
    await statuses('Grace', LIMIT);
    const visitor = new Shopper(stack.url);
    await visitor.view();
    const before = visitor.cookie;
    expect((await logIn('Grace', undefined, visitor)).status).toBe(429);
    expect(visitor.cookie).toBe(before);
    expect((await visitor.view()).views).toBe(2);
    expect(await visitor.me()).toBeUndefined();
  });

  it('should end after a minute at most, and show neither name nor address in Redis', async () => {
    const before = await limitKeys();
    expect(await statuses('Katherine', LIMIT + 1)).toContain(429);
    const [key = '', ...others] = (await limitKeys()).filter((one) => !before.includes(one));
    expect(others).toEqual([]);
    expect(key).toMatch(/^limit:login:[\w-]{43}$/);
    await inRedis(stack.topology.url, async (redis) => {
      const ttlMs = Number(await redis.pTTL(key));
      expect(ttlMs).toBeGreaterThan(0);
      expect(ttlMs).toBeLessThanOrEqual(60_000);
      await redis.pExpire(key, 1);
    });
    await eventually(async () => expect((await logIn('Katherine')).status).toBe(200));
  });

  it.skipIf(isSpread)('should answer 503 within two seconds while Redis is silent', async () => {
    stack.redis.pause();
    const reply = await logIn('Paused');
    stack.redis.resume();
    expect(reply.status).toBe(503);
    expect(reply.ms).toBeLessThan(2000);
    await eventually(async () => expect((await logIn('Paused')).status).toBe(200));
  });
});

describe('LOGIN_LIMIT', () => {
  it('should be off by default', async () => {
    await using stack = await Stack.start({ scale: 1 });
    for (const _ of range(1, 100)) {
      const { status, headers } = await new Shopper(stack.url).logIn('Ada');
      expect(status).toBe(200);
      expect(headers.ratelimit).toBeUndefined();
    }
  });

  it('should work in an instance that has started before Redis, and after a loss of scripts', async () => {
    await using alone = await RedisAlone.start();
    await alone.process.stop();
    const PORT = String(await freePort());
    await using instance = runInstance({ REDIS_URL: alone.url, PORT, LOGIN_LIMIT: '3' });
    const url = `http://127.0.0.1:${PORT}`;
    const logIn = () => new Shopper(url).logIn('Ada');
    await eventually(async () => expect((await logIn()).status).toBe(503));
    await alone.process.start();
    await eventually(async () => expect((await send(`${url}/readyz`)).status).toBe(200));
    for (const status of [200, 200]) expect((await logIn()).status).toBe(status);
    await inRedis(alone.url, (redis) => redis.scriptFlush());
    for (const status of [200, 429]) expect((await logIn()).status).toBe(status);
    expect(instance.child.exitCode).toBeNull();
  });
});
