import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  Cache,
  type CacheOptions,
  type Found,
  OriginFailed,
} from '../../services/app/cache/cache.ts';
import { LocalCache } from '../../services/app/cache/local-cache.ts';
import type { Origin } from '../../services/app/cache/origin.ts';
import { createRedis } from '../../services/shared/process/redis.ts';
import { DelayedRedis } from '../../tools/lib/delayed-redis.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { range } from '../support/proofs.ts';
import { RedisAlone } from '../support/redis-alone.ts';

const NEVER_ABORTED = new AbortController().signal;
/** Milliseconds after an invalidation until no instance returns the old entry. */
const INVALIDATION_MS = 100;

describe('Cache, on three instances with one Redis', () => {
  let alone: RedisAlone;
  let clients: { destroy(): void }[] = [];
  /** The origin of the current test. */
  let origin: Origin;
  let calls: number;

  beforeAll(async () => {
    alone = await RedisAlone.start();
  });
  afterAll(() => alone[Symbol.asyncDispose]());
  beforeEach(async () => {
    calls = 0;
    origin = answering(100);
    await inRedis(alone.url, (redis) => redis.flushAll());
  });
  afterEach(() => {
    for (const client of clients) client.destroy();
    clients = [];
  });

  /** An origin that returns the number of its call after `ms` milliseconds. */
  const answering =
    (ms: number): Origin =>
    async (_name, signal) => {
      calls += 1;
      const answer = `call ${calls}`;
      await delay(ms, undefined, { signal });
      return answer;
    };

  /** An origin that returns the number of its call once `open()` was called. */
  function gated(): { origin: Origin; open: () => void } {
    const { promise, resolve: open } = Promise.withResolvers<void>();
    const gated: Origin = async () => {
      calls += 1;
      const answer = `call ${calls}`;
      await promise;
      return answer;
    };
    return { origin: gated, open };
  }

  async function newCache(options: Partial<CacheOptions> = {}, url = alone.url) {
    const log = pino({ level: 'silent' });
    const local = new LocalCache((more) => {
      const client = createRedis({ url, timeoutMs: 1000, log, ...more });
      clients.push(client);
      return client;
    }, true);
    await eventually(() => local.redis.ping());
    const cache = new Cache({
      local,
      origin: (name, signal) => origin(name, signal),
      guard: 'cluster',
      isEnabled: true,
      ttlMs: 60_000,
      staleMs: 30_000,
      originTimeoutMs: 10_000,
      instance: { name: `app-${clients.length}` },
      log,
      ...options,
    });
    return {
      cache,
      local,
      get: (name = 'data', signal = NEVER_ABORTED) => cache.get(name, signal),
    };
  }
  const three = (options: Partial<CacheOptions> = {}) =>
    Promise.all([newCache(options), newCache(options), newCache(options)]);
  const atOnce = (instances: { get(): Promise<Found> }[], times: number) =>
    Promise.all(
      range(1, times).map((i) =>
        (instances[i % instances.length] as never as { get(): Promise<Found> }).get(),
      ),
    );
  const resultsOf = (found: Found[]) => found.map(({ result }) => result);

  describe('a missing entry, with 100 lookups at once', () => {
    it('should be loaded once in total with the guard "cluster"', async () => {
      const found = await atOnce(await three({ guard: 'cluster' }), 100);
      expect(calls).toBe(1);
      expect(new Set(found.map(({ entry }) => entry.data))).toEqual(new Set(['call 1']));
      expect(resultsOf(found).filter((result) => result === 'MISS')).toHaveLength(1);
      expect(resultsOf(found).filter((result) => result === 'HIT')).toHaveLength(99);
    });

    it('should be loaded once by each instance with the guard "instance"', async () => {
      await atOnce(await three({ guard: 'instance' }), 100);
      expect(calls).toBe(3);
    });

    it('should be loaded by every lookup with the guard "off"', async () => {
      await atOnce(await three({ guard: 'off' }), 100);
      expect(calls).toBe(100);
    });
  });

  describe('a load', () => {
    it('should be taken over by exactly one other instance if its own instance dies', async () => {
      const [dying, second, third] = await three();
      const called = Promise.withResolvers<void>();
      origin = () => {
        called.resolve();
        return new Promise(() => {});
      };
      dying.get().catch(() => {}); // has no waiter
      await called.promise; // the lock is in Redis, and its reply has arrived
      dying.local.redis.destroy(); // it no longer renews its lock
      const holder = await inRedis(alone.url, (redis) => redis.pTTL('cache:lock:{data}'));
      expect(holder).toBeLessThanOrEqual(1000); // the others wait no longer
      origin = answering(10);
      const found = await atOnce([second, third], 50);
      expect(calls).toBe(1);
      expect(resultsOf(found).filter((result) => result === 'MISS')).toHaveLength(1);
    });

    it('should hold its lock until it ends', async () => {
      origin = answering(2500);
      const [first, second] = await three();
      const loading = first.get();
      await eventually(() => expect(calls).toBe(1));
      const found = await Promise.all([loading, second.get()]);
      expect(calls).toBe(1);
      expect(resultsOf(found)).toEqual(['MISS', 'HIT']);
    });

    it('should not overwrite the result of a later load if its lock has expired', async () => {
      const [slow, fast] = await three();
      const gate = gated();
      origin = gate.origin;
      const loading = slow.get();
      await eventually(() => expect(calls).toBe(1));
      await inRedis(alone.url, (redis) => redis.del('cache:lock:{data}')); // as if the instance had paused
      origin = answering(10);
      expect((await fast.get()).entry.data).toBe('call 2');
      gate.open();
      expect((await loading).entry.data).toBe('call 1');
      expect((await fast.get()).entry.data).toBe('call 2');
      expect((await slow.get()).entry.data).toBe('call 2');
    });

    it('should not release the lock of a later load', async () => {
      const [slow, other] = await three();
      const [gate, laterGate] = [gated(), gated()];
      origin = gate.origin;
      const loading = slow.get();
      await eventually(() => expect(calls).toBe(1));
      await inRedis(alone.url, (redis) => redis.del('cache:lock:{data}'));
      origin = laterGate.origin;
      const later = other.get();
      await eventually(() => expect(calls).toBe(2));
      gate.open();
      await loading;
      const holder = await inRedis(alone.url, (redis) => redis.get('cache:lock:{data}'));
      expect(holder).toBe('2');
      laterGate.open();
      await later;
    });

    it('should not renew the lock of a later load', async () => {
      const [slow] = await three();
      const gate = gated();
      origin = gate.origin;
      const loading = slow.get();
      await eventually(() => expect(calls).toBe(1));
      // As if a later load had begun, and its instance had died.
      await inRedis(alone.url, (redis) =>
        redis.set('cache:lock:{data}', '2', { expiration: { type: 'PX', value: 1000 } }),
      );
      await eventually(async () => {
        expect(await inRedis(alone.url, (redis) => redis.get('cache:lock:{data}'))).toBeNull();
      });
      gate.open();
      await loading;
    });

    it('should not store its result after a later invalidation', async () => {
      const [first, second, third] = await three();
      const gate = gated();
      origin = gate.origin;
      const loading = first.get();
      await eventually(() => expect(calls).toBe(1));
      await second.cache.invalidate('data');
      gate.open();
      await loading;
      expect(await inRedis(alone.url, (redis) => redis.get('cache:{data}'))).toBeNull();
      expect((await third.get()).entry.data).toBe('call 2');
      expect((await first.get()).entry.data).toBe('call 2');
    });

    it('should not be joined by lookups that begin after an invalidation', async () => {
      const [first, second] = await three();
      const gate = gated();
      origin = gate.origin;
      const before = first.get();
      await eventually(() => expect(calls).toBe(1));
      await second.cache.invalidate('data');
      await delay(INVALIDATION_MS);
      origin = answering(10);
      const after = await Promise.all([first.get(), second.get()]);
      expect(after.map(({ entry }) => entry.data)).toEqual(['call 2', 'call 2']);
      gate.open();
      expect((await before).entry.data).toBe('call 1');
    });

    it('should go on for another instance after its own client has given up', async () => {
      const [first, second] = await three();
      const gate = gated();
      origin = gate.origin;
      const impatient = new AbortController();
      const given = first.get('data', impatient.signal);
      await eventually(() => expect(calls).toBe(1));
      const waiting = second.get();
      await eventually(() => expect(second.cache.counts.lockWaits).toBe(1));
      impatient.abort(new Error('gone'));
      await expect(given).rejects.toThrow('gone');
      await delay(500); // longer than the loading instance takes to ask whether anybody waits
      const late = first.get();
      gate.open();
      expect((await waiting).entry.data).toBe('call 1');
      expect((await late).entry.data).toBe('call 1');
      expect(calls).toBe(1);
    });

    it('should end soon after the waiters of all instances have given up', async () => {
      const [first, second, third] = await three();
      const ended = Promise.withResolvers<number>();
      origin = async (_name, signal) => {
        calls += 1;
        signal.addEventListener('abort', () => ended.resolve(performance.now()));
        return new Promise(() => {});
      };
      const impatient = new AbortController();
      const lookups = [first.get('data', impatient.signal)];
      await eventually(() => expect(calls).toBe(1));
      lookups.push(second.get('data', impatient.signal), third.get('data', impatient.signal));
      await eventually(() => expect(third.cache.counts.lockWaits).toBe(1));
      const from = performance.now();
      impatient.abort(new Error('gone'));
      await Promise.allSettled(lookups);
      expect((await ended.promise) - from).toBeLessThan(3000);
      await eventually(async () => {
        expect(await inRedis(alone.url, (redis) => redis.get('cache:lock:{data}'))).toBeNull();
      });
      expect(calls).toBe(1);
    });

    it('should answer its waiters on other instances despite an invalidation', async () => {
      const [first, second, third] = await three();
      const gate = gated();
      origin = gate.origin;
      const loading = first.get();
      await eventually(() => expect(calls).toBe(1));
      const waiting = second.get();
      await eventually(() => expect(second.cache.counts.lockWaits).toBe(1));
      await third.cache.invalidate('data');
      await delay(INVALIDATION_MS);
      expect(calls).toBe(1);
      const laterGate = gated();
      origin = laterGate.origin;
      const later = third.get(); // it must not see data from before the invalidation
      await eventually(() => expect(calls).toBe(2));
      gate.open();
      expect((await loading).entry.data).toBe('call 1');
      expect((await waiting).entry.data).toBe('call 1');
      laterGate.open();
      expect((await later).entry.data).toBe('call 2');
      expect((await second.get()).entry.data).toBe('call 2');
      expect(calls).toBe(2);
    });

    it('should fail if the origin does not answer within its timeout', async () => {
      const [first, second] = await three({ originTimeoutMs: 300 });
      origin = async (_name, signal) => {
        calls += 1;
        await delay(60_000, undefined, { signal });
        return null;
      };
      const failed = await Promise.allSettled([first.get(), second.get()]);
      for (const one of failed) expect(one).toMatchObject({ reason: expect.any(OriginFailed) });
      expect(calls).toBe(1);
    });

    it('should end and release its lock when the last waiter gives up', async () => {
      const [first] = await three();
      origin = answering(60_000);
      const impatient = [new AbortController(), new AbortController()];
      const lookups = impatient.map(({ signal }) => first.get('data', signal));
      await eventually(() => expect(calls).toBe(1));
      impatient[0]?.abort(new Error('gone'));
      await expect(lookups[0]).rejects.toThrow('gone');
      origin = answering(10);
      impatient[1]?.abort(new Error('gone too'));
      await expect(lookups[1]).rejects.toThrow('gone too');
      const from = performance.now();
      expect((await first.get()).entry.data).toBe('call 2');
      expect(performance.now() - from).toBeLessThan(500); // an abandoned lock expires after a second
    });
  });

  describe('an origin that fails', () => {
    const failing: Origin = async () => {
      calls += 1;
      throw new Error('no answer');
    };

    it('should be reported to all who waited, and not cached', async () => {
      const instances = await three();
      const healthy = origin;
      const { promise: opened, resolve: open } = Promise.withResolvers<void>();
      origin = async (...args) => {
        await opened;
        return failing(...args);
      };
      const lookups = range(1, 30).map((i) => instances[i % 3]?.get());
      await eventually(() => {
        const waits = instances.map(({ cache }) => cache.counts.lockWaits);
        expect(waits.toSorted()).toEqual([0, 1, 1]);
      });
      open();
      const failed = await Promise.allSettled(lookups);
      for (const one of failed) {
        expect(one).toMatchObject({ status: 'rejected', reason: expect.any(OriginFailed) });
      }
      expect(calls).toBe(1); // its waiters are told
      expect(await inRedis(alone.url, (redis) => redis.get('cache:{data}'))).toBeNull();
      origin = healthy;
      expect((await instances[0].get()).result).toBe('MISS');
    });

    it('should be covered by a stale entry for a bounded time, and called once a second', async () => {
      const instances = await three({ ttlMs: 300, staleMs: 4000 });
      const made = await instances[0].get();
      const madeAt = performance.now();
      origin = failing;
      calls = 0;
      await delay(350);
      while (performance.now() - madeAt < 2500) {
        const found = await atOnce(instances, 3);
        expect(new Set(resultsOf(found))).toEqual(new Set(['STALE']));
        expect(found[0]?.entry).toEqual(made.entry);
        await delay(50);
      }
      expect(calls).toBeGreaterThanOrEqual(1);
      expect(calls).toBeLessThanOrEqual(3);
      await delay(Math.max(0, 4400 - (performance.now() - madeAt)));
      await expect(instances[1].get()).rejects.toThrow(OriginFailed);
    });
  });

  it('should return a stale entry while one instance refreshes it', async () => {
    const instances = await three({ ttlMs: 400, staleMs: 5000 });
    await instances[0].get();
    await delay(450);
    const gate = gated();
    origin = gate.origin;
    const found = await atOnce(instances, 30);
    expect(new Set(resultsOf(found))).toEqual(new Set(['STALE']));
    gate.open();
    await eventually(async () => {
      expect(await instances[1].get()).toMatchObject({ result: 'HIT', entry: { data: 'call 2' } });
    });
    expect(calls).toBe(2);
  });

  it('should call the origin once for an item that does not exist, and cache that briefly', async () => {
    const instances = await three({ ttlMs: 60_000 });
    origin = async () => {
      calls += 1;
      await delay(50);
      return null;
    };
    const found = await atOnce(instances, 50);
    expect(calls).toBe(1);
    expect(new Set(found.map(({ entry }) => entry.data))).toEqual(new Set([null]));
    const ms = await inRedis(alone.url, (redis) => redis.pTTL('cache:{data}'));
    expect(ms).toBeGreaterThan(4000);
    expect(ms).toBeLessThanOrEqual(5000);
  });

  it('should spread the expiry of entries', async () => {
    const [instance] = await three({ ttlMs: 60_000, staleMs: 0 });
    origin = answering(0);
    await Promise.all(range(1, 100).map((i) => instance.get(`data:item-${i}`)));
    const ttls = await inRedis(alone.url, (redis) =>
      Promise.all(range(1, 100).map((i) => redis.pTTL(`cache:{data:item-${i}}`))),
    );
    expect(Math.max(...ttls)).toBeLessThanOrEqual(60_000);
    expect(Math.min(...ttls)).toBeGreaterThan(54_000 - 1000);
    expect(Math.max(...ttls) - Math.min(...ttls)).toBeGreaterThan(3000);
  });

  it.each(['bad JSON', '"a text"', '{}', '{"data":7,"madeAt":1,"load":9}', 'null'])(
    'should replace %j, which is not a valid entry',
    async (junk) => {
      const [first, second] = await three();
      await inRedis(alone.url, (redis) => redis.set('cache:{data}', junk));
      expect((await first.get()).entry.data).toBe('call 1');
      expect(await second.get()).toMatchObject({ result: 'HIT', entry: { data: 'call 1' } });
    },
  );

  const KEYS = ['', 'token:', 'watermark:', 'lock:', 'outcome:'].map(
    (kind) => `cache:${kind}{data}`,
  );

  it('should replace keys of the wrong type', async () => {
    const [first, second] = await three();
    await inRedis(alone.url, (redis) => Promise.all(KEYS.map((key) => redis.lPush(key, 'x'))));
    expect((await first.get()).entry.data).toBe('call 1');
    expect((await second.get()).result).toBe('HIT');
  });

  // Lua and Redis cannot count on from these.
  const NO_TOKENS = [
    '9223372036854775807',
    '9'.repeat(23),
    '-5',
    '1e300',
    'nan',
    '0x10',
    '2.5',
    '',
  ];

  it.each(NO_TOKENS)('should load and store although its keys hold %j', async (value) => {
    const [first, second] = await three();
    const token = /^-?\d[\de.]*$/.test(value) ? value : `"${value}"`;
    const entry = `{"data":"old","madeBy":"","madeAt":1,"staleMs":0,"token":${token}}`;
    const hasEntry = (key: string) => key === 'cache:{data}' || key === 'cache:outcome:{data}';
    await inRedis(alone.url, async (redis) => {
      for (const key of KEYS) await redis.setEx(key, 600, hasEntry(key) ? entry : value);
    });
    expect(await first.get()).toMatchObject({ result: 'MISS', entry: { data: 'call 1' } });
    expect(await second.get()).toMatchObject({ result: 'HIT', entry: { data: 'call 1' } });
    await first.cache.invalidate('data');
    expect(await first.get()).toMatchObject({ result: 'MISS', entry: { data: 'call 2' } });
    expect(await inRedis(alone.url, (redis) => redis.exists('cache:{data}'))).toBe(1);
  });

  describe('the local cache', () => {
    it('should answer without a call to Redis', async () => {
      const [first] = await three();
      await first.get();
      const reads = () =>
        inRedis(alone.url, async (redis) => {
          const stats = await redis.info('commandstats');
          return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]);
        });
      const before = await reads();
      await first.get(); // the last contact with Redis was a while ago
      const found = range(1, 50).map(() => first.cache.getFresh('data'));
      for (const one of found) expect(one).toMatchObject({ result: 'HIT', source: 'local' });
      expect(await reads()).toBeLessThanOrEqual(before + 1);
    });

    it('should drop an entry within 100 ms after another instance invalidates it', async () => {
      const instances = await three();
      for (const _ of range(1, 20)) {
        await Promise.all(instances.map(({ get }) => get()));
        await Promise.all(instances.map(({ get }) => get()));
        const latest = calls;
        await instances[0].cache.invalidate('data');
        await delay(INVALIDATION_MS);
        const found = await Promise.all(instances.map(({ get }) => get()));
        for (const { entry } of found) expect(entry.data).toBe(`call ${latest + 1}`);
      }
    });

    it('should drop an entry within 100 ms even if no invalidation message arrives', async () => {
      await using behind = await DelayedRedis.beside(alone.process);
      const [first, second] = [await newCache(), await newCache({}, behind.url)];
      await first.get();
      await second.get();
      expect((await second.get()).source).toBe('local');
      behind.delayMs = 600; // invalidation messages are late
      await first.cache.invalidate('data');
      await delay(INVALIDATION_MS);
      expect(second.cache.getFresh('data')).toBeUndefined();
      behind.delayMs = 0;
      expect((await second.get()).entry.data).toBe('call 2');
    });

    it('should be cleared when the connection is lost', async () => {
      await using behind = await DelayedRedis.beside(alone.process);
      const one = await newCache({}, behind.url);
      await one.get('data:item-1');
      await eventually(async () => expect((await one.get('data:item-1')).source).toBe('local'));
      behind.cut();
      await eventually(async () => {
        expect((await one.get('data:item-2')).source).not.toBe('origin'); // reconnected to Redis
      });
      expect(one.cache.getFresh('data:item-1')).toBeUndefined();
    });

    it('should never return an entry from before an invalidation, under concurrent lookups', async () => {
      const instances = await three({ ttlMs: 200, staleMs: 200 });
      let version = 0;
      origin = async (_name, signal) => {
        const answer = String(version);
        await delay(Math.random() * 30, undefined, { signal });
        return answer;
      };
      const until = performance.now() + 3000;
      /** A lookup that begins now must find at least this version. */
      let least = 0;
      let lookups = 0;
      const lookUp = async () => {
        while (performance.now() < until) {
          const due = least;
          const found = await instances[Math.floor(Math.random() * 3)]?.get();
          expect(Number(found?.entry.data)).toBeGreaterThanOrEqual(due);
          lookups += 1;
          await delay(Math.random() * 3);
        }
      };
      const change = async () => {
        while (performance.now() < until) {
          version += 1;
          const changed = version;
          await instances[Math.floor(Math.random() * 3)]?.cache.invalidate('data');
          await delay(INVALIDATION_MS);
          least = changed;
        }
      };
      await Promise.all([change(), ...range(1, 20).map(lookUp)]);
      expect(version).toBeGreaterThan(15);
      expect(lookups).toBeGreaterThan(500);
    });
  });

  describe('without Redis', () => {
    it('should answer from the origin with a limited number of concurrent calls', async () => {
      await using doomed = await RedisAlone.start();
      const one = await newCache({}, doomed.url);
      await doomed.process.kill();
      let atOnce = 0;
      let most = 0;
      origin = async () => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await delay(20);
        atOnce -= 1;
        return 'answer';
      };
      const same = await Promise.all(range(1, 50).map(() => one.get()));
      expect(new Set(resultsOf(same))).toEqual(new Set(['BYPASS']));
      expect(most).toBe(1);
      const different = await Promise.all(range(1, 50).map((i) => one.get(`data:item-${i}`)));
      expect(new Set(resultsOf(different))).toEqual(new Set(['BYPASS']));
      expect(most).toBe(16);
    });

    it('should not join a call that is older than an invalidation that it may have missed', async () => {
      await using doomed = await RedisAlone.start();
      const one = await newCache({}, doomed.url);
      await doomed.process.kill();
      const { origin: slow, open } = gated();
      origin = slow;
      const early = [one.get(), one.get()];
      await delay(INVALIDATION_MS + 50);
      const late = one.get();
      await eventually(() => expect(calls).toBe(2));
      open();
      const entries = (await Promise.all([...early, late])).map(({ entry }) => entry.data);
      expect(entries).toEqual(['call 1', 'call 1', 'call 2']);
    });

    it('should return a loaded entry even if Redis cannot store it', async () => {
      await using full = await RedisAlone.start();
      const one = await newCache({}, full.url);
      await inRedis(full.url, (redis) =>
        redis.sendCommand(['CONFIG', 'SET', 'maxmemory', '1mb', 'maxmemory-policy', 'noeviction']),
      );
      expect((await one.get()).result).toBe('BYPASS');
      expect(calls).toBe(1);
    });
  });
});
