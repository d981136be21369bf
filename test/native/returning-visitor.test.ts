import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inRedis, keysOf } from '../../tools/lib/redis-client.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { inKeys, Shopper, sessionIdOf } from '../support/shop.ts';

/** A visitor whose cookie the instance has verified. */
async function returning(stack: Stack): Promise<Shopper> {
  const visitor = new Shopper(stack.url);
  expect((await visitor.viewInTurn(3)).map(({ views }) => views)).toEqual([1, 2, 3]);
  return visitor;
}

describe('a returning visitor', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({
      scale: 1,
      env: { ...process.env, SESSION_TTL_SECONDS: '3' },
    });
  });
  afterAll(() => stack?.close());

  it('should be recognized by the cookie, and get no new one', async () => {
    const visitor = await returning(stack);
    const reply = await visitor.send();
    expect(reply.body).toBe('Views: 4');
    expect(reply.headers['set-cookie']).toBeUndefined();
  });

  it.each([
    ['has ended', ['DEL', 'sess:']],
    ['is junk', ['SET', 'sess:', 'junk']],
    ['has another type', ['LPUSH', 'sess:', 'junk']],
    ['has another version', ['SET', 'sess:', '{"version":0,"cookie":{},"startedAt":1}']],
  ])(
    'should be treated as a new visitor if the session %s',
    async (_what, [command = '', key, ...rest]) => {
      const visitor = await returning(stack);
      await visitor.add('tea');
      await visitor.post('/dashboard/nickname', { nickname: 'Countess' });
      const id = sessionIdOf(visitor);
      await inRedis(stack.topology.url, async (redis) => {
        if (command === 'LPUSH') await redis.del(`${key}${inKeys(id)}`);
        await redis.sendCommand([command, `${key}${inKeys(id)}`, ...rest]);
      });
      const { views } = await visitor.view();
      expect(views).toBe(1);
      expect(sessionIdOf(visitor)).not.toBe(id);
      const keys = await keysOf(stack.topology.url);
      expect(keys.filter((key) => key.includes(inKeys(id)))).toEqual([]);
    },
  );

  it('should be treated as a new visitor after a logout', async () => {
    const visitor = await returning(stack);
    const before = visitor.copy();
    await visitor.logOut();
    expect((await before.view()).views).toBe(1);
  });

  it('should be treated as a new visitor if the signature is wrong', async () => {
    const visitor = await returning(stack);
    const cookie = visitor.cookies.get('connect.sid') ?? '';
    const forger = new Visitor(stack.url);
    forger.cookies.set('connect.sid', `${cookie.slice(0, -3)}abc`);
    expect((await forger.view()).views).toBe(1);
    expect((await visitor.view()).views).toBe(4);
  });

  // A key that expires too early lets a repeated request count again.
  it('should keep the applied keys young, although reads come between the changes', async () => {
    const env = { ...process.env, SESSION_TTL_SECONDS: '100' };
    await using own = await Stack.start({ scale: 1, env });
    const visitor = await returning(own);
    const key = `applied:{${sessionIdOf(visitor).slice(0, 8)}}`;
    await inRedis(own.topology.url, async (redis) => {
      await redis.expire(key, 30);
      const until = performance.now() + 1200; // 1 % of the lifetime, and some time
      while (performance.now() < until) await visitor.cart();
      await visitor.view();
      expect(await redis.ttl(key)).toBeGreaterThan(180);
    });
  });

  it('should keep a session in use, and lose an idle one', async () => {
    const visitor = await returning(stack);
    const idle = await returning(stack);
    for (let views = 4; views <= 11; views += 1) {
      await delay(500);
      expect((await visitor.view()).views).toBe(views);
    }
    expect((await idle.view()).views).toBe(1);
  });

  it('should lose a corrupt counter, but keep the session', async () => {
    const visitor = await returning(stack);
    const id = sessionIdOf(visitor);
    await inRedis(stack.topology.url, (redis) => redis.set(`views:${inKeys(id)}`, 'junk'));
    expect((await visitor.view()).views).toBe(1);
    expect(sessionIdOf(visitor)).toBe(id);
  });
});
