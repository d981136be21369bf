import type session from 'express-session';
import type { SessionData } from 'express-session';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeRedis, createRedis } from '../../services/shared/process/redis.ts';
import {
  MAX_APPLIED,
  type SessionRedis,
  sessionScripts,
} from '../../services/shared/session/scripts.ts';
import { RedisSessionStore, SessionEnded } from '../../services/shared/session/store.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { RedisAlone } from '../support/redis-alone.ts';

/** The request of express-session, as far as a store uses it. */
type Request = Parameters<RedisSessionStore['createSession']>[0];

describe('RedisSessionStore', () => {
  let alone: RedisAlone;
  let redis: SessionRedis;
  let store: RedisSessionStore;
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => lines.push(line) });

  beforeAll(async () => {
    alone = await RedisAlone.start();
    const quiet = pino({ level: 'silent' });
    const scripts = sessionScripts;
    redis = createRedis({ url: alone.url, timeoutMs: 1000, log: quiet, name: 'Redis', scripts });
    await eventually(() => redis.ping());
  });
  afterAll(async () => {
    await closeRedis(redis, 1000);
    await alone[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await redis.flushAll();
    store = new RedisSessionStore(redis, 100, log);
    lines.length = 0;
  });

  const data = (more: object = {}): SessionData =>
    ({
      cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' },
      version: 1,
      startedAt: 1,
      ...more,
    }) as unknown as SessionData;
  /** Loads the session of a request as express-session does. */
  async function load(id: string): Promise<session.Session & SessionData> {
    const stored = await store.get(id);
    if (!stored) throw new Error('no session');
    const request = { sessionID: id, sessionStore: store } as unknown as Request;
    return store.createSession(request, stored) as session.Session & SessionData;
  }
  const raw = async (id: string) => JSON.parse((await redis.get(`sess:{${id}}`)) ?? 'null');

  it('should return a stored session until its TTL has passed', async () => {
    await store.set('a', data({ name: 'Ada' }));
    expect(await store.get('a')).toEqual(data({ name: 'Ada' }));
    expect(await redis.ttl('sess:{a}')).toBe(100);
    expect(await store.get('b')).toBeNull();
  });

  it('should support callbacks, as express-session requires', async () => {
    const ask = <T>(call: (callback: (err?: unknown, data?: T) => void) => unknown) =>
      new Promise<T | undefined>((resolve, reject) => {
        call((err, result) => (err ? reject(err) : resolve(result)));
      });
    await ask((callback) => store.set('a', data(), callback));
    expect(await ask((callback) => store.get('a', callback))).toEqual(data());
    await ask((callback) => store.destroy('a', callback));
    expect(await ask((callback) => store.get('a', callback))).toBeNull();
  });

  it('should have no touch(), with which express-session would send the reply in two pieces', () => {
    expect(store.touch).toBeUndefined();
  });

  it('should store a change to a loaded session', async () => {
    await store.set('a', data());
    const read = await load('a');
    read.name = 'Ada';
    await store.set('a', read);
    expect((await raw('a')).name).toBe('Ada');
  });

  it.each([
    ['destroyed', () => store.destroy('a')],
    ['expired', () => redis.pExpire('sess:{a}', 0)],
    ['replaced', () => store.replace('a', 'b', data())],
  ])('should not store a session that was %s after it was loaded', async (_how, end) => {
    await store.set('a', data());
    const read = await load('a');
    read.name = 'Ada';
    await end();
    await expect(store.set('a', read)).rejects.toThrow(SessionEnded);
    expect(await raw('a')).toBeNull();
  });

  it('should not store a session under the ID of another', async () => {
    await store.set('a', data({ name: 'Ada' }));
    await expect(store.set('a', data({ name: 'Eve' }))).rejects.toThrow(SessionEnded);
    expect((await raw('a')).name).toBe('Ada');
  });

  it('should not store an unchanged session again', async () => {
    const fresh = data();
    await store.set('a', fresh);
    await redis.del('sess:{a}');
    await store.set('a', fresh); // as express-session does at the end of a reply
    expect(await raw('a')).toBeNull();
  });

  it('should destroy all data of a session', async () => {
    await store.set('a', data());
    await redis.countView({ id: 'a', ttlSeconds: 100 });
    await redis.addToCart({ id: 'a', ttlSeconds: 100 }, 'tea', 1);
    await redis.setProfile({ id: 'a', ttlSeconds: 100 }, 'nickname', 'Countess');
    expect(await redis.dbSize()).toBe(4);
    await store.destroy('a');
    expect(await redis.dbSize()).toBe(0);
  });

  it('should replace a session by another and move all its data', async () => {
    await store.set('a', data());
    await redis.countView({ id: 'a', ttlSeconds: 100 });
    await redis.addToCart({ id: 'a', ttlSeconds: 100 }, 'tea', 2);
    await redis.setProfile({ id: 'a', ttlSeconds: 100 }, 'nickname', 'Countess');
    await store.replace('a', 'b', data({ name: 'Ada' }));
    for (const key of await redis.keys('*{b}')) {
      expect(await redis.ttl(key), key).toBeGreaterThanOrEqual(99);
    }
    expect((await redis.keys('*')).sort()).toEqual([
      'cart:{b}',
      'profile:{b}',
      'replaced:{a}',
      'sess:{b}',
      'views:{b}',
    ]);
    expect(await redis.ttl('replaced:{a}')).toBeLessThanOrEqual(10);
    expect(await Promise.all(['a', 'b'].map((id) => store.wasReplaced(id)))).toEqual([true, false]);
    expect((await raw('b')).name).toBe('Ada');
    const state = await redis.readState({ id: 'b', ttlSeconds: 100 });
    expect(state?.reply).toEqual(['1', ['tea', '2'], ['nickname', 'Countess']]);
  });

  it('should not replace a session that has ended', async () => {
    expect(await store.replace('a', 'b', data(), 'change')).toBeUndefined();
    expect(await redis.dbSize()).toBe(0);
  });

  it('should replace a session once, even if the same change is requested again', async () => {
    await store.set('a', data());
    expect(await store.replace('a', 'b', data({ name: 'Ada' }), 'change')).toBe('b');
    expect(await store.replace('a', 'c', data({ name: 'Ada' }), 'change')).toBe('b');
    expect(await store.replace('a', 'd', data({ name: 'Eve' }), 'another')).toBeUndefined();
    const sessions = (await redis.keys('sess:*')).sort();
    expect(sessions).toEqual(['sess:{b}']);
  });

  const CORRUPT: [name: string, value: string][] = [
    ['an empty value', ''],
    ['bad JSON', '{"cookie":'],
    ['null', 'null'],
    ['an array', '[]'],
    ['a string', '"x"'],
    ['a number', '7'],
    ['an empty object', '{}'],
    ['no cookie', '{"cookie":null}'],
    ['an invalid cookie', '{"version":1,"startedAt":1,"cookie":"x"}'],
    ['an invalid date', JSON.stringify(data({ cookie: { originalMaxAge: 1, expires: 'x' } }))],
    ['an unknown version', JSON.stringify(data({ version: 2 }))],
    ['no version, as in the article', '{"cookie":{"originalMaxAge":null},"views":3}'],
    ['an invalid name', JSON.stringify(data({ name: { first: 'Ada' } }))],
    ['2 MB of junk', 'x'.repeat(2_000_000)],
    ['2 MB of JSON', JSON.stringify({ junk: 'x'.repeat(2_000_000) })],
  ];

  it.each(CORRUPT)(
    'should drop a corrupt session with one line in the log: %s',
    async (_name, value) => {
      await redis.set('sess:{a}', value);
      await redis.set('views:{a}', '7');
      expect(await store.get('a')).toBeNull();
      if (value !== '') {
        expect(lines).toHaveLength(1);
        expect(lines[0]?.length).toBeLessThan(400);
        expect(await redis.dbSize()).toBe(0);
      }
    },
  );

  it('should drop a session whose key has the wrong type', async () => {
    await redis.hSet('sess:{a}', 'field', 'value');
    expect(await store.get('a')).toBeNull();
    expect(lines).toHaveLength(1);
    expect(await redis.dbSize()).toBe(0);
  });

  it('should not mistake an error of Redis for a corrupt session', async () => {
    await store.set('a', data());
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '-get']);
    await expect(store.get('a')).rejects.toThrow('NOPERM');
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
    expect(await store.get('a')).toEqual(data());
  });

  describe('a change', () => {
    const target = { id: 'a', ttlSeconds: 100, idempotencyKey: 'change' };
    const view = () => redis.countView({ ...target, maintain: false });
    const addItem = (item: string) => () => redis.addToCart(target, item, 3);
    const rename = async (idempotencyKey = 'change') => {
      await redis.setProfile({ ...target, idempotencyKey }, 'nickname', 'Countess');
    };
    const logIn = () => store.replace('a', 'b', data({ name: 'Ada' }), 'change');
    const fill = async () => {
      await redis.countView({ id: 'a', ttlSeconds: 100, idempotencyKey: 'another' });
      await redis.addToCart({ id: 'a', ttlSeconds: 100 }, 'tea', 2);
      await redis.setProfile({ id: 'a', ttlSeconds: 100 }, 'nickname', 'Ada');
    };
    const CHANGES: [name: string, before: () => Promise<void>, change: () => Promise<unknown>][] = [
      ['first view', async () => {}, view],
      ['first view after a nickname', () => rename('another'), view],
      ['view', fill, view],
      ['first item', async () => {}, addItem('tea')],
      ['item', fill, addItem('tea')],
      ['removed item', fill, () => redis.removeFromCart(target, 'tea')],
      ['first nickname', async () => {}, () => rename()],
      ['nickname', fill, () => rename()],
      ['login', fill, logIn],
      ['logout', fill, () => store.destroy('a')],
    ];
    /** Every command that a script uses. */
    const COMMANDS = (
      'get mget set del exists expire pexpire incr decr type dump restore info ' +
      'hget hset hdel hlen hexists hincrby hgetall rename pttl'
    ).split(' ');
    /** All keys of sessions with their values, and whether they expire. */
    const everything = async () => {
      const keys = (await admin.keys('*{*')).filter((key) => !/^applied|^replaced/.test(key));
      const contentOf = async (key: string) =>
        (await admin.type(key)) === 'hash' ? admin.hGetAll(key) : admin.get(key);
      return Promise.all(
        keys.sort().map(async (key) => [key, await contentOf(key), (await admin.ttl(key)) > 90]),
      );
    };
    let admin: SessionRedis;
    beforeAll(async () => {
      await redis.sendCommand(['ACL', 'SETUSER', 'admin', 'on', '>admin', '~*', '&*', '+@all']);
      const url = Object.assign(new URL(alone.url), { username: 'admin', password: 'admin' }).href;
      const quiet = pino({ level: 'silent' });
      const scripts = sessionScripts;
      admin = createRedis({ url, timeoutMs: 1000, log: quiet, name: 'admin', scripts });
      await eventually(() => admin.ping());
    });
    afterAll(() => closeRedis(admin, 1000));
    const acl = (...rules: string[]) => admin.sendCommand(['ACL', 'SETUSER', 'default', ...rules]);
    const prepare = async (fillState: () => Promise<void>) => {
      await redis.flushAll();
      store = new RedisSessionStore(redis, 100, log);
      await store.set('a', data());
      await fillState();
    };

    it.each(CHANGES)(
      'should be applied whole or not at all, whichever command Redis denies: %s',
      async (_name, fillState, change) => {
        await prepare(fillState);
        await change();
        const after = await everything();
        expect(after.every(([, , expires]) => expires)).toBe(true);
        for (const command of COMMANDS) {
          await prepare(fillState);
          const before = await everything();
          await acl(`-${command}`);
          const denied = await change().then(
            () => false,
            () => true,
          );
          await acl('+@all');
          expect(await everything(), command).toEqual(denied ? before : after);
          await change(); // the same request again
          expect(await everything(), command).toEqual(after);
        }
      },
    );

    it.each([
      ['junk', ['HSET', 'applied:{a}', 'change', 'junk']],
      ['a negative number', ['HSET', 'applied:{a}', 'change', '-5']],
      ['too large a number', ['HSET', 'applied:{a}', 'change', '99999999999999999999999']],
      ['in a list', ['RPUSH', 'applied:{a}', 'change']],
      ['in an earlier list', ['RPUSH', 'applied:{a}:earlier', 'change']],
    ])('should be applied although the result under its key is %s', async (_name, command) => {
      for (const [name, fillState, change] of CHANGES) {
        await prepare(fillState);
        await change();
        const after = await everything();
        await prepare(fillState);
        await redis.del(['applied:{a}', 'applied:{a}:earlier']);
        await redis.sendCommand(command);
        await change();
        expect(await everything(), name).toEqual(after);
      }
    });
  });

  describe('an idempotency key', () => {
    const view = (idempotencyKey: string, id = 'a') =>
      redis
        .countView({ id, ttlSeconds: 100_000, idempotencyKey })
        .then((counted) => counted?.reply);
    /** Lets the latest keys expire in so many milliseconds, as if they were older. */
    const age = (ttlMs: number) => redis.pExpire('applied:{a}', ttlMs);
    const limit = (bytes: number) => redis.configSet('maxmemory', String(bytes));
    const start = (id: string) => redis.storeSession({ id, ttlSeconds: 100_000 }, '{}', true);
    beforeEach(() => start('a'));
    afterEach(() => limit(0));

    it('should be known for a minute, and forgotten some time after it', async () => {
      expect(await view('first')).toBe(1);
      await age(181_000);
      expect(await view('last of its minute')).toBe(2);
      await age(179_000);
      expect(await view('next')).toBe(3);
      expect(await view('last of its minute')).toBe(2);
      for (const key of ['applied:{a}', 'applied:{a}:earlier']) {
        expect(await redis.ttl(key), key).toBeGreaterThan(60 + 90); // 90 s: an entry of the cache
      }
      await age(179_000);
      expect(await view('another')).toBe(4);
      expect(await redis.keys('applied:*')).toHaveLength(2);
      expect(await view('next')).toBe(3);
      expect(await view('first')).toBe(5);
    });

    it('should be known after a login, which shares the limit', async () => {
      expect(await view('first')).toBe(1);
      await store.replace('a', 'b', data(), 'login');
      expect(await redis.hKeys('applied:{a}')).toEqual(['', 'first', 'login']);
    });

    it('should leave room for others if one visitor makes 56,000 changes', async () => {
      await limit(13_000_000);
      const keys = Array.from({ length: 56_000 }, (_, i) => String(i).padStart(32, '0'));
      const views: (number | undefined)[] = [];
      const refusals = new Set<string>();
      const viewOnce = (key: string) =>
        view(key).then(
          (count) => views.push(count),
          (err: Error) => refusals.add(err.message),
        );
      for (let i = 0; i < keys.length; i += 1000) {
        await Promise.all(keys.slice(i, i + 1000).map(viewOnce));
      }
      expect(new Set(views).size).toBe(MAX_APPLIED);
      expect([...refusals]).toEqual([expect.stringMatching('^FLOOD')]);
      expect(await start('new')).toBe(true);
      expect(await view('new', 'new')).toBe(1);
      for (const [i, key] of keys.slice(0, 10).entries()) expect(await view(key)).toBe(i + 1);
      expect(await redis.get('views:{a}')).toBe(String(MAX_APPLIED));
      await age(179_000); // a minute later
      expect(await view('later')).toBe(MAX_APPLIED + 1);
    });

    it('should outlive all entries of the cache if the memory is full', async () => {
      await limit(8_000_000);
      expect(await view('first')).toBe(1);
      for (let batch = 0; batch < 20; batch += 1) {
        const entries = Array.from({ length: 1000 }, (_, i) => `cache:{${batch}-${i}}`);
        await Promise.all(entries.map((key) => redis.set(key, 'x'.repeat(1000), { EX: 90 })));
      }
      expect(await redis.dbSize()).toBeLessThan(10_000); // the others are evicted
      expect(await view('first')).toBe(1);
      expect(await view('second')).toBe(2);
    });

    it('should be needed for a change, also if there is nothing else to evict', async () => {
      expect(await view('first')).toBe(1);
      await start('b');
      await redis.setRange('ballast', 20_000_000, 'x');
      const used = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
      await limit(Math.round(used / 0.98));
      await age(179_000);
      await expect(view('second')).rejects.toThrow('OOM');
      expect(await view('first')).toBe(1);
      expect(await redis.get('views:{a}')).toBe('1');
      await limit(0);
      expect(await view('second')).toBe(2);
    });
  });
});
