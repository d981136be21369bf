import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_SESSIONS } from '../../services/shared/user/user-sessions.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis, keysOf } from '../../tools/lib/redis-client.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { inKeys, Shopper, sessionIdOf } from '../support/shop.ts';
import { isSpread } from '../support/topology.ts';

/** As docs/reference.md says. */
const listOf = (name: string) => `user:${hash('sha256', name, 'base64url')}`;

const logOutEverywhere = (visitor: Shopper, headers = {}) =>
  visitor.send('/sessions', { method: 'DELETE', headers });

describe('DELETE /sessions', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());
  const logIn = async (name: string) => {
    const visitor = new Shopper(stack.url);
    expect((await visitor.logIn(name)).status).toBe(200);
    return visitor;
  };
  const listed = (name: string) =>
    inRedis(stack.topology.url, (redis) => redis.zRange(listOf(name), 0, -1));
  /** Adds entries of sessions that have ended, and that expire before any other. */
  const addEnded = (name: string, ids: string[]) =>
    inRedis(stack.topology.url, async (redis) => {
      const score = Date.now() / 1000 + 60;
      await redis.zAdd(
        listOf(name),
        ids.map((value) => ({ score, value })),
      );
    });

  it('should end all sessions of the user at once on every instance, and no others', async () => {
    const devices = await Promise.all(range(1, 4).map(() => logIn('Ada')));
    const bob = await logIn('Bob');
    for (const device of devices) {
      await device.add('tea');
      await device.viewInTurn(3); // each instance has verified the cookie
    }
    const [first] = devices as [Shopper];
    const old = first.copy();
    const reply = await logOutEverywhere(first);
    expect(reply.status).toBe(204);
    expect(first.cookies.get('connect.sid')).toBe(''); // the browser drops the cookie
    for (const device of [old, ...devices.slice(1)]) {
      for (const _ of range(1, 3)) expect(await device.me()).toBeUndefined();
      const id = inKeys(sessionIdOf(device));
      const left = (await keysOf(stack.topology.url)).filter((key) => key.includes(id));
      expect(left).toEqual(device === old ? [`ended:${id}`] : []);
      expect((await device.view()).views).toBe(1);
    }
    expect(await listed('Ada')).toEqual([]);
    expect(await bob.me()).toMatchObject({ name: 'Bob' });
    expect(await listed('Bob')).toEqual([sessionIdOf(bob)]);
  });

  it('should end a session that is only acknowledged while others log in and out', async () => {
    for (const _ of range(1, 10)) {
      const device = await logIn('Eve');
      const others = range(1, 8).map(async (i) => {
        const other = new Shopper(stack.url);
        expect((await other.logIn('Eve')).status).toBe(200);
        if (i % 2) await other.logOut();
        return other;
      });
      await logOutEverywhere(device);
      const acknowledged = await Promise.all(others);
      // None that is still logged in may be unknown to the next one.
      expect((await logOutEverywhere(await logIn('Eve'))).status).toBe(204);
      for (const other of acknowledged) expect(await other.me()).toBeUndefined();
    }
  });

  it('should forget a session after its logout', async () => {
    const visitor = await logIn('Grace');
    expect(await listed('Grace')).toEqual([sessionIdOf(visitor)]);
    await visitor.logOut();
    expect(await listed('Grace')).toEqual([]);
  });

  it('should answer 401 to a visitor without a login, and 403 to another site', async () => {
    const guest = new Shopper(stack.url);
    expect((await logOutEverywhere(guest)).status).toBe(401);
    await guest.view();
    expect((await logOutEverywhere(guest)).status).toBe(401);
    expect((await guest.view()).views).toBe(2);
    const ada = await logIn('Ada');
    const foreign = { origin: 'https://attacker.example' };
    expect((await logOutEverywhere(ada, foreign)).status).toBe(403);
    expect(await ada.me()).toMatchObject({ name: 'Ada' });
  });

  it('should answer a repeated request as before, but not one whose session has just expired', async () => {
    const [device, other] = [await logIn('Ada'), await logIn('Ada')];
    const repeated = device.copy();
    expect((await logOutEverywhere(device)).status).toBe(204);
    expect((await logOutEverywhere(repeated)).status).toBe(204);
    expect((await logOutEverywhere(other)).status).toBe(401); // it has ended no others
  });

  it.skipIf(isSpread)('should answer 503 while Redis is silent, and succeed then', async () => {
    const [device, other] = [await logIn('Ada'), await logIn('Ada')];
    stack.redis.pause();
    const reply = await logOutEverywhere(device.copy());
    stack.redis.resume();
    expect(reply.status).toBe(503);
    expect(reply.ms).toBeLessThan(2000);
    await eventually(async () => expect((await logOutEverywhere(device)).status).toBe(204));
    expect(await other.me()).toBeUndefined();
  });

  it('should end the oldest session if a user has too many, but none that is newer', async () => {
    const oldest = await logIn('Zoe');
    await addEnded('Zoe', [sessionIdOf(oldest)]);
    const names = range(1, MAX_SESSIONS - 2).map((i) => `newer-${String(i).padStart(6, '0')}`);
    await inRedis(stack.topology.url, async (redis) => {
      const score = Date.now() / 1000 + 3600;
      await redis.zAdd(
        listOf('Zoe'),
        names.map((value) => ({ score, value })),
      );
    });
    const newer = await logIn('Zoe');
    expect(await oldest.me()).toMatchObject({ name: 'Zoe' });
    const newest = await logIn('Zoe');
    expect(await oldest.me()).toBeUndefined();
    for (const visitor of [newer, newest])
      expect(await visitor.me()).toMatchObject({ name: 'Zoe' });
    expect(await listed('Zoe')).toHaveLength(MAX_SESSIONS);
  });

  it('should not fail because of a corrupt list', async () => {
    await inRedis(stack.topology.url, (redis) => redis.set(listOf('Mallory'), 'junk'));
    const visitor = await logIn('Mallory');
    expect(await listed('Mallory')).toEqual([sessionIdOf(visitor)]);
  });
});

describe('the list of sessions', () => {
  it('should have a session for as long as it is used, and no entry for longer', async () => {
    const env = { ...process.env, SESSION_TTL_SECONDS: '2' };
    await using stack = await Stack.start({ env });
    const [viewing, other] = [new Shopper(stack.url), new Shopper(stack.url)];
    await viewing.logIn('Ada');
    const unused = new Shopper(stack.url);
    await unused.logIn('Ada');
    const until = Date.now() + 4500; // an entry lives for 3 s
    await eventually(async () => {
      await viewing.view();
      expect(Date.now()).toBeGreaterThan(until);
    });
    await other.logIn('Ada');
    const entries = await inRedis(stack.topology.url, (redis) =>
      redis.zRange(listOf('Ada'), 0, -1),
    );
    expect(entries.sort()).toEqual([viewing, other].map((one) => sessionIdOf(one)).sort());
    expect((await logOutEverywhere(other)).status).toBe(204);
    expect(await viewing.me()).toBeUndefined();
    await eventually(async () => {
      const keys = await keysOf(stack.topology.url);
      expect(keys.filter((key) => key.startsWith('user:'))).toEqual([]);
    });
  });
});
