import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisClientType } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { infoNumber, inRedis, keysOf } from '../../tools/lib/redis-client.ts';
import type { Reply } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { Shopper } from '../support/shop.ts';

/** Sets the limit so that 95 % of it are in use. */
async function limitMemory(redis: RedisClientType): Promise<void> {
  const used = await infoNumber(redis, 'used_memory');
  await redis.configSet('maxmemory', String(Math.round(used / 0.95)));
}

// A reply must never confirm a change that Redis rejected.

const REFUSALS: [name: string, refuse: string[][], accept: string[][]][] = [
  [
    'an ACL that denies every write',
    [['ACL', 'SETUSER', 'default', '-@write']],
    [['ACL', 'SETUSER', 'default', '+@all']],
  ],
  [
    'an ACL that denies the last step of each change',
    [['ACL', 'SETUSER', 'default', '-del', '-hincrby', '-incr', '-hdel', '-hset']],
    [['ACL', 'SETUSER', 'default', '+@all']],
  ],
  [
    'an ACL that denies the first step of each change',
    [['ACL', 'SETUSER', 'default', '-set', '-hincrby', '-del', '-incr', '-hdel', '-hset']],
    [['ACL', 'SETUSER', 'default', '+@all']],
  ],
  [
    'min-replicas-to-write 1',
    [['CONFIG', 'SET', 'min-replicas-to-write', '1']],
    [['CONFIG', 'SET', 'min-replicas-to-write', '0']],
  ],
  ['a read-only replica', [['REPLICAOF', '127.0.0.1', '1']], [['REPLICAOF', 'NO', 'ONE']]],
];

const OUT_OF_MEMORY: (typeof REFUSALS)[number] = [
  'no memory left',
  [['CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1']],
  [['CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl', 'maxmemory', '268435456']],
];

describe('a change that Redis rejects', () => {
  let stack: Stack;
  let ada: Shopper;
  const command = (commands: string[][]) =>
    inRedis(stack.topology.url, async (redis) => {
      for (const words of commands) await redis.sendCommand(words);
    });

  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());
  beforeEach(async () => {
    ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    await ada.viewInTurn(2);
    await ada.add('tea', 2);
    await ada.post('/dashboard/nickname', { nickname: 'Countess' });
  });
  afterEach(async () => {
    for (const [, , accept] of [...REFUSALS, OUT_OF_MEMORY]) await command(accept);
  });

  function expectRefusal(reply: Reply, what: string): void {
    expect(reply.status, what).toBe(503);
    expect(reply.headers['content-type'], what).toContain('application/problem+json');
    expect(reply.headers['retry-after'], what).toBe('1');
    expect(reply.headers['set-cookie'], what).toBeUndefined();
  }

  /** Returns Ada's state, after a check that it is complete. */
  const checkedState = async () => {
    const before = await ada.me();
    expect(before).toMatchObject({ name: 'Ada', views: 2, cart: { tea: 2 }, nickname: 'Countess' });
    return before;
  };

  it.each(REFUSALS)(
    'should answer 503 and leave everything unchanged: %s',
    async (_name, refuse, accept) => {
      const before = await checkedState();
      await command(refuse);
      expectRefusal(await ada.copy().logIn('Eve'), 'login');
      expectRefusal(await ada.copy().logOut(), 'logout');
      expectRefusal(await ada.copy().add('milk'), 'cart');
      expectRefusal(
        await ada.copy().send('/cart/tea', { method: 'DELETE' }),
        'removal from the cart',
      );
      expectRefusal(await ada.copy().post('/dashboard/nickname', { nickname: 'x' }), 'nickname');
      expectRefusal(await ada.copy().send('/'), 'view');
      await command(accept);
      expect(await ada.me()).toEqual(before);
    },
  );

  it.each(REFUSALS.slice(0, 1).concat(REFUSALS.slice(2)))(
    'should create no session for a new visitor: %s',
    async (_name, refuse, accept) => {
      const keys = await keysOf(stack.topology.url);
      await command(refuse);
      for (const path of ['/login', '/cart', '/dashboard/nickname']) {
        const body = { name: 'Eve', item: 'tea', quantity: 1, nickname: 'x' };
        expectRefusal(await new Shopper(stack.url).post(path, body), path);
      }
      expectRefusal(await new Shopper(stack.url).send('/'), '/');
      await command(accept);
      expect(await keysOf(stack.topology.url)).toEqual(keys);
    },
  );

  it.each(['-incr -hincrby -hset', '-expire'])(
    'should leave no session of a new visitor behind if an ACL denies its first change: %s',
    async (rules) => {
      const keys = await keysOf(stack.topology.url);
      await command([['ACL', 'SETUSER', 'default', ...rules.split(' ')]]);
      for (const path of ['/cart', '/dashboard/nickname']) {
        const body = { item: 'tea', quantity: 1, nickname: 'x' };
        expectRefusal(await new Shopper(stack.url).post(path, body), path);
      }
      expectRefusal(await new Shopper(stack.url).send('/'), '/');
      expect(await keysOf(stack.topology.url)).toEqual(keys);
    },
  );

  it.each(REFUSALS.slice(0, 4))(
    'should not affect requests that only read: %s',
    async (_name, refuse) => {
      const before = await checkedState();
      await command(refuse);
      expect(await ada.me()).toEqual(before);
      expect(await ada.cart()).toEqual({ tea: 2 });
    },
  );

  it('should answer 503 only if it makes a session grow, with nine tenths of the memory in use', async () => {
    const bob = new Shopper(stack.url);
    await bob.logIn('Bob');
    await inRedis(stack.topology.url, async (redis) => {
      await redis.setRange('ballast', 20_000_000, 'x'); // so large that a few kilobytes make no difference
      await redis.del(await redis.keys('applied:*'));
      await limitMemory(redis);
    });
    expectRefusal(await bob.copy().send('/'), 'first view');
    expectRefusal(await bob.copy().add('milk'), 'new item');
    expectRefusal(
      await bob.copy().post('/dashboard/nickname', { nickname: 'x' }),
      'first nickname',
    );
    const longer = { nickname: 'Countess of Lovelace' };
    expectRefusal(await ada.copy().post('/dashboard/nickname', longer), 'longer nickname');
    expectRefusal(await ada.copy().logIn('Eve'), 'login');
    expectRefusal(await new Shopper(stack.url).logIn('Eve'), 'login of a new visitor');
    expectRefusal(await new Shopper(stack.url).send('/'), 'view of a new visitor');
    const logged = stack.instances.map(({ name }) => join(stack.folder, `${name}.log`));
    await eventually(async () => {
      expectRefusal(await new Shopper(stack.url).send('/'), 'another view'); // logged once a second
      const lines = logged.flatMap((file) => readFileSync(file, 'utf8').split('\n'));
      const reasons = lines.filter((line) => line.includes('OOM')).join();
      for (const prefix of ['sess', 'views', 'profile']) expect(reasons).toMatch(`${prefix}: `);
    });
    expect((await ada.view()).views).toBe(3);
    expect((await ada.add('tea')).status).toBe(200);
    expect((await ada.post('/dashboard/nickname', { nickname: 'Ada' })).status).toBe(200);
    expect(await ada.me()).toMatchObject({ views: 3, cart: { tea: 3 }, nickname: 'Ada' });
    expect(await bob.me()).toMatchObject({ name: 'Bob', views: 0, cart: {} });
    await command([['DEL', 'ballast']]);
    expect((await bob.view()).views).toBe(1);
  });

  it.each(['cache:{x}', 'replaced:{x}'])(
    'should not be refused for lack of memory if keys that expire soon fill it: %s',
    async (prefix) => {
      await inRedis(stack.topology.url, async (redis) => {
        const fill = "for i = 1, 20000 do redis.call('SET', ARGV[1] .. i, ARGV[2], 'EX', 60) end";
        await redis.eval(fill, { arguments: [prefix, 'x'.repeat(1000)] });
        await limitMemory(redis);
      });
      const eve = new Shopper(stack.url);
      expect((await eve.logIn('Eve')).status).toBe(200);
      expect((await eve.view()).views).toBe(1);
      expect((await eve.add('milk')).status).toBe(200);
      expect(await ada.me()).toMatchObject({ name: 'Ada', views: 2, cart: { tea: 2 } });
      await inRedis(stack.topology.url, async (redis) => redis.del(await redis.keys(`${prefix}*`)));
    },
  );

  it('should answer 503 if it needs memory, and succeed if it frees memory, with no memory left', async () => {
    const before = await checkedState();
    const [, refuse, accept] = OUT_OF_MEMORY;
    await command(refuse);
    expectRefusal(await ada.copy().logIn('Eve'), 'login');
    expectRefusal(await ada.copy().add('milk'), 'cart');
    expectRefusal(await ada.copy().send('/'), 'view');
    expectRefusal(await new Shopper(stack.url).logIn('Eve'), 'login of a new visitor');
    expect(await ada.me()).toEqual(before);
    expect((await ada.copy().logOut()).status).toBe(204);
    await command(accept);
    expect(await ada.me()).toBeUndefined();
  });
});
