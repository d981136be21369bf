import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_APPLIED } from '../../services/shared/session/scripts.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis, keysOf } from '../../tools/lib/redis-client.ts';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { Shopper, sessionIdOf } from '../support/shop.ts';

// If an instance dies, nginx sends the same request with the same ID to another instance. These
// tests send it to several instances themselves.

describe('a request that arrives twice', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());
  const newId = () => `test-${Math.random().toString(36).slice(2).padEnd(12, '0')}`;
  const direct = (i: number) => `http://127.0.0.1:${stack.instances[i]?.port}`;

  /** A copy of a shopper that calls instance `i` directly, without nginx. */
  function at(i: number, original: Shopper): Shopper {
    const shopper = new Shopper(direct(i));
    for (const [name, value] of original.cookies) shopper.cookies.set(name, value);
    return shopper;
  }
  const newShopper = async () => {
    const ada = new Shopper(stack.url);
    await ada.view();
    return ada;
  };

  it('should count one view and return the same number', async () => {
    const ada = await newShopper();
    const headers = { 'x-request-id': newId() };
    const bodies = [];
    for (const i of [0, 1, 2]) bodies.push((await at(i, ada).send('/', { headers })).body);
    expect(bodies).toEqual(['Views: 2', 'Views: 2', 'Views: 2']);
    expect((await ada.view()).views).toBe(3);
  });

  it('should count one view if all copies arrive at once', async () => {
    const ada = await newShopper();
    const headers = { 'x-request-id': newId() };
    const replies = await Promise.all(
      range(0, 8).map((i) => at(i % 3, ada).send('/', { headers })),
    );
    expect(new Set(replies.map(({ body }) => body))).toEqual(new Set(['Views: 2']));
    expect((await ada.view()).views).toBe(3);
  });

  it('should add to the cart once and return the same quantity', async () => {
    const ada = await newShopper();
    await ada.add('tea', 2);
    const headers = { 'x-request-id': newId() };
    for (const i of [0, 1, 2]) {
      const reply = await at(i, ada).post('/cart', { item: 'tea', quantity: 3 }, { headers });
      expect(JSON.parse(reply.body)).toEqual({ item: 'tea', quantity: 5 });
    }
    expect(await ada.cart()).toEqual({ tea: 5 });
  });

  it('should log in once, and return the same session with all data of the old one', async () => {
    const ada = await newShopper();
    await ada.add('tea', 2);
    const headers = { 'x-request-id': newId() };
    const ids = new Set<string>();
    for (const i of [0, 1, 2]) {
      const again = at(i, ada); // with the old cookie: the first reply never arrived
      const reply = await again.post('/login', { name: 'Ada' }, { headers });
      expect(reply.status).toBe(200);
      ids.add(sessionIdOf(again));
      expect(await again.me()).toMatchObject({ name: 'Ada', views: 1, cart: { tea: 2 } });
    }
    expect(ids.size).toBe(1);
    expect(ids).not.toContain(sessionIdOf(ada));
  });

  it('should not log in another client that has the old cookie', async () => {
    const ada = await newShopper();
    const attacker = ada.copy();
    await ada.post('/login', { name: 'Ada' });
    expect((await attacker.post('/login', { name: 'Eve' })).status).toBe(409);
    expect((await attacker.send('/me')).status).toBe(409);
    expect(await ada.me()).toMatchObject({ name: 'Ada' });
  });

  it('should log out once', async () => {
    const ada = await newShopper();
    await ada.logIn('Ada');
    const headers = { 'x-request-id': newId() };
    for (const i of [0, 1, 2]) {
      expect((await at(i, ada).send('/logout', { method: 'POST', headers })).status).toBe(204);
    }
    expect(await ada.me()).toBeUndefined();
  });

  it('should be recognized by its Idempotency-Key through nginx, per session, route and body', async () => {
    const ada = await newShopper();
    const eve = await newShopper();
    const headers = { 'idempotency-key': newId() };
    const add = (shopper: Shopper, item: string) =>
      shopper.post('/cart', { item, quantity: 1 }, { headers });
    for (const _ of range(1, 3)) expect((await add(ada, 'tea')).status).toBe(200);
    expect(await ada.cart()).toEqual({ tea: 1 });
    await add(ada, 'coffee');
    expect(await ada.cart()).toEqual({ tea: 1, coffee: 1 });
    await add(eve, 'tea');
    expect(await eve.cart()).toEqual({ tea: 1 });
    const views = [];
    for (const _ of range(1, 3)) views.push((await ada.send('/', { headers })).body);
    expect(views).toEqual(['Views: 2', 'Views: 2', 'Views: 2']);
  });

  it.each(['short', 'x'.repeat(65), 'white space', 'a:b:c:d:e:f', ''])(
    'should be rejected with the Idempotency-Key %j',
    async (key) => {
      const headers = { 'idempotency-key': key };
      const reply = await send(`${stack.url}/`, { headers });
      expect(reply.status).toBe(400);
      expect(reply.headers['set-cookie']).toBeUndefined();
    },
  );

  it('should not be recognized by a request ID that the client sets', async () => {
    const ada = await newShopper();
    const headers = { 'x-request-id': 'chosen-by-the-client' };
    await ada.send('/', { headers });
    expect((await ada.send('/', { headers })).body).toBe('Views: 3');
  });

  it('should change nothing if it is more than ten seconds old', async () => {
    const ada = await newShopper();
    const ago = (seconds: number) => `t=${((Date.now() - seconds * 1000) / 1000).toFixed(3)}`;
    const old = { 'x-request-start': ago(11) };
    expect((await at(0, ada).send('/', { headers: old })).status).toBe(503);
    expect(
      (await at(0, ada).post('/cart', { item: 'tea', quantity: 1 }, { headers: old })).status,
    ).toBe(503);
    expect((await at(0, ada).post('/login', { name: 'Ada' }, { headers: old })).status).toBe(503);
    expect(await ada.cart()).toEqual({});
    const keys = await keysOf(stack.topology.url);
    expect((await new Shopper(direct(0)).send('/', { headers: old })).status).toBe(503);
    expect(await keysOf(stack.topology.url)).toEqual(keys);
    const recent = { 'x-request-start': ago(8) };
    expect((await at(0, ada).send('/', { headers: recent })).body).toBe('Views: 2');
    // nginx replaces the header of a client
    expect((await ada.send('/', { headers: old })).body).toBe('Views: 3');
  });

  it('should be logged once, with what to do, if the clocks differ by more than ten seconds', async () => {
    const ada = await newShopper();
    const from = (seconds: number) => ({
      'x-request-start': `t=${(Date.now() / 1000 + seconds).toFixed(3)}`,
    });
    for (const _ of range(1, 3)) {
      expect((await at(1, ada).send('/', { headers: from(-45) })).status).toBe(503);
      expect((await at(2, ada).send('/', { headers: from(45) })).status).toBe(200);
      expect((await at(0, ada).send('/', { headers: from(8) })).status).toBe(200);
    }
    const linesOf = (i: number) => {
      const log = readFileSync(join(stack.folder, `${stack.instances[i]?.name}.log`), 'utf8');
      return log.split('\n').filter((line) => line.includes('NTP') && line.includes('45 s'));
    };
    await eventually(() => expect([1, 2].map((i) => linesOf(i).length)).toEqual([1, 1]));
    expect(linesOf(1).join()).toContain('behind');
    expect(linesOf(2).join()).toContain('ahead');
    expect(linesOf(0)).toEqual([]);
  });

  it('should be refused with 429, and change nothing, after too many changes in a minute', async () => {
    const [ada, eve] = [await newShopper(), await newShopper()];
    const key = `applied:{${sessionIdOf(ada).slice(0, 8)}}`;
    const fill = "for i = 1, ARGV[1] do redis.call('HSET', KEYS[1], i, 1) end";
    const options = { keys: [key], arguments: [String(MAX_APPLIED)] };
    await inRedis(stack.topology.url, (redis) => redis.eval(fill, options));
    for (const reply of [
      await ada.send('/'),
      await ada.add('tea'),
      await ada.copy().logIn('Ada'),
    ]) {
      expect(reply.status).toBe(429);
      expect(reply.headers['content-type']).toContain('application/problem+json');
      expect(reply.headers['retry-after']).toBe('60');
    }
    expect((await eve.view()).views).toBe(2);
    await inRedis(stack.topology.url, (redis) => redis.del(key));
    expect((await ada.view()).views).toBe(2);
    expect(await ada.cart()).toEqual({});
  });

  it('should store no idempotency key if Redis rejects the change', async () => {
    const ada = await newShopper();
    const headers = { 'x-request-id': newId() };
    const acl = (rule: string) =>
      inRedis(stack.topology.url, (redis) =>
        redis.sendCommand(['ACL', 'SETUSER', 'default', rule]),
      );
    await acl('-incr');
    expect((await at(0, ada).send('/', { headers })).status).toBe(503);
    await acl('+@all');
    expect((await at(1, ada).send('/', { headers })).body).toBe('Views: 2');
  });
});

describe('IDEMPOTENCY=off', () => {
  it('should count a request that arrives twice as two views', async () => {
    await using stack = await Stack.start({ env: { ...process.env, IDEMPOTENCY: 'off' } });
    const ada = new Shopper(stack.url);
    await ada.view();
    const headers = { 'idempotency-key': 'the-same-key' };
    const bodies = [];
    for (const _ of range(1, 2)) bodies.push((await ada.send('/', { headers })).body);
    expect(bodies).toEqual(['Views: 2', 'Views: 3']);
  });
});
