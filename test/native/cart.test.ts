import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis, keysOf } from '../../tools/lib/redis-client.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { inKeys, Shopper, sessionIdOf } from '../support/shop.ts';
import { hasShards } from '../support/topology.ts';

describe('the cart', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ env: { ...process.env, SESSION_TTL_SECONDS: '1000' } });
  });
  afterAll(() => stack?.close());
  const newShopper = () => new Shopper(stack.url);

  it('should hold numeric quantities on every instance', async () => {
    const ada = newShopper();
    const reply = await ada.add('tea', 2);
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toEqual({ item: 'tea', quantity: 2 });
    expect(JSON.parse((await ada.add('tea', 3)).body)).toEqual({ item: 'tea', quantity: 5 });
    await ada.add('milk');
    for (const _ of range(1, 3)) expect(await ada.cart()).toEqual({ tea: 5, milk: 1 });
    expect((await ada.send('/cart/tea', { method: 'DELETE' })).status).toBe(204);
    expect(await ada.cart()).toEqual({ milk: 1 });
  });

  it('should hold all 30 items that are added at once through all instances', async () => {
    const ada = newShopper();
    await ada.add('first');
    const items = range(1, 30).map((i) => `item ${i}`);
    const replies = await Promise.all(items.map((item) => ada.copy().add(item)));
    expect(new Set(replies.map(({ headers }) => headers['x-instance'])).size).toBe(3);
    expect(replies.map(({ status }) => status)).toEqual(items.map(() => 200));
    expect(await ada.cart()).toEqual(
      Object.fromEntries(['first', ...items].map((item) => [item, 1])),
    );
  });

  it('should add up the quantities of one item that is added 30 times at once', async () => {
    const ada = newShopper();
    await ada.view();
    await Promise.all(range(1, 30).map((i) => ada.copy().add('tea', i)));
    expect(await ada.cart()).toEqual({ tea: 465 }); // 1 + 2 + ... + 30
  });

  it('should store nothing for a client that only reads', async () => {
    const before = await keysOf(stack.topology.url);
    for (const path of ['/cart', '/me', '/dashboard/session']) {
      const reply = await newShopper().send(path);
      expect(reply.headers['set-cookie'], path).toBeUndefined();
    }
    const gone = newShopper();
    await gone.send('/cart/tea', { method: 'DELETE' });
    expect(gone.cookies.size).toBe(0);
    expect(await keysOf(stack.topology.url)).toEqual(before);
  });

  it('should hold at most 50 different items', async () => {
    const ada = newShopper();
    await ada.add('item 1');
    await Promise.all(range(2, 50).map((i) => ada.copy().add(`item ${i}`)));
    const refused = await ada.add('item 51');
    expect(refused.status).toBe(422);
    expect(JSON.parse(refused.body).detail).toMatch(/^item: /);
    expect((await ada.add('item 50')).status).toBe(200);
    expect(Object.keys(await ada.cart())).toHaveLength(50);
  });

  it.each([
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '0',
    '/',
    '%2F',
    '%00',
    '...',
    '😀',
    '👩\u200d💻',
    '❤\ufe0f',
    'a b',
  ])('should accept the item %j', async (item) => {
    const ada = newShopper();
    expect((await ada.add(item, 2)).status).toBe(200);
    expect(Object.entries(await ada.cart())).toEqual([[item, 2]]);
    const path = `/cart/${encodeURIComponent(item)}`;
    expect((await ada.send(path, { method: 'DELETE' })).status).toBe(204);
    expect(await ada.cart()).toEqual({});
  });

  it.each([
    [{ quantity: 1 }, 'item: '],
    [{ item: '', quantity: 1 }, 'item: '],
    [{ item: 'x'.repeat(61), quantity: 1 }, 'item: '],
    [{ item: 7, quantity: 1 }, 'item: '],
    [{ item: '\ud800', quantity: 1 }, 'item: '],
    [{ item: 'tea\0', quantity: 1 }, 'item: '],
    [{ item: '..', quantity: 1 }, 'item: '],
    [{ item: 'a/../metrics', quantity: 1 }, 'item: '],
    [{ item: ' ', quantity: 1 }, 'item: '],
    [{ item: 'tea' }, 'quantity: '],
    [{ item: 'tea', quantity: 0 }, 'quantity: '],
    [{ item: 'tea', quantity: -1 }, 'quantity: '],
    [{ item: 'tea', quantity: 100 }, 'quantity: '],
    [{ item: 'tea', quantity: 1.5 }, 'quantity: '],
    [{ item: 'tea', quantity: '2' }, 'quantity: '],
    [{ item: 'tea', quantity: 1e300 }, 'quantity: '],
    [{ item: 'tea', quantity: null }, 'quantity: '],
    [{ item: 'tea', quantity: [2] }, 'quantity: '],
  ])('should reject %j with 422 and name the field', async (body, field) => {
    const ada = newShopper();
    const reply = await ada.post('/cart', body);
    expect(reply.status).toBe(422);
    expect(JSON.parse(reply.body).detail).toMatch(new RegExp(`^${field}`));
    expect(ada.cookies.size).toBe(0);
  });

  it('should give back every item that it accepts, through nginx', async () => {
    const part = fc.constantFrom(
      '.',
      '..',
      '/',
      '\\',
      '%',
      '%2e',
      '\0',
      '\n',
      ' ',
      '?',
      '#',
      '+',
      'é',
      'a',
    );
    const item = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));
    const ada = newShopper();
    await fc.assert(
      fc.asyncProperty(item, async (item) => {
        if ((await ada.add(item)).status !== 200) return;
        const path = `/cart/${encodeURIComponent(item)}`;
        expect((await ada.send(path, { method: 'DELETE' })).status).toBe(204);
        expect(await ada.cart()).toEqual({});
      }),
      { numRuns: 300 },
    );
  });

  it('should have its TTL extended by every use, after a hundredth of it', async () => {
    const env = { ...process.env, SESSION_TTL_SECONDS: '100' };
    await using own = await Stack.start({ scale: 1, env });
    const ada = new Shopper(own.url);
    await ada.logIn('Ada');
    await ada.view();
    await ada.add('tea');
    await ada.post('/dashboard/nickname', { nickname: 'Countess' });
    const id = inKeys(sessionIdOf(ada));
    const keys = [`sess:${id}`, `views:${id}`, `cart:${id}`, `profile:${id}`];
    const uses = [
      () => ada.send('/'),
      () => ada.send('/me'),
      () => ada.send('/cart'),
      () => ada.send('/dashboard/session'),
      () => ada.add('milk'),
    ];
    await inRedis(own.topology.url, async (redis) => {
      for (const use of uses) {
        await eventually(async () => {
          for (const key of keys) await redis.expire(key, 10);
          expect((await use()).status).toBe(200);
          for (const key of keys) expect(await redis.ttl(key), key).toBeGreaterThan(90);
        });
      }
    });
  });

  it.skipIf(hasShards)(
    'should not add a round trip to a view: one script call in Redis',
    async () => {
      const ada = newShopper();
      await ada.view();
      await ada.view();
      const commands: string[] = [];
      await inRedis(stack.topology.url, async (redis) => {
        await redis.monitor((line) => commands.push(String(line)));
        await ada.view();
        await ada.view();
        await inRedis(stack.topology.url, (other) => other.echo('that is all'));
        await eventually(() => expect(commands.join()).toContain('that is all'));
      });
      const ours = commands.filter((line) => line.includes(inKeys(sessionIdOf(ada))));
      const sent = ours.filter((line) => !line.includes(' lua]'));
      expect(sent.map((line) => /"(\w+)"/.exec(line)?.[1]?.toUpperCase())).toEqual([
        'EVALSHA',
        'EVALSHA',
      ]);
    },
  );
});
