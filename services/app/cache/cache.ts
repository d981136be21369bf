import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { isRedisUnavailable } from '../../shared/process/redis-errors.ts';
import { type CachedEntry, decode, type Entry, encode, encodeFailure } from './cached-entry.ts';
import type { LocalCache } from './local-cache.ts';
import type { Origin } from './origin.ts';
import { SingleFlight } from './single-flight.ts';

/** Milliseconds until an unrenewed lock expires: how long others wait if its instance has died. */
const LOCK_MS = 1000;
/** Poll interval for waiters in milliseconds, in case an invalidation message is missed. */
const POLL_MS = 50;
/** Milliseconds after which a failed refresh is tried again. */
const RETRY_MS = 1000;
/** Milliseconds for which "not found" is cached. */
const NOT_FOUND_MS = 5000;
/** Shortens each TTL by up to this fraction, so that entries do not expire all at once. */
const JITTER = 0.1;
/** Milliseconds for which fencing tokens outlive the entries. */
const KEEP_MS = 600_000;
/** The most calls of the origin at once without a cache in front of it. */
const MAX_BYPASS = 16;
/** Milliseconds for which others join such a call: it may miss an invalidation. */
const JOIN_BYPASS_MS = 100;

/** `MISS`: this lookup called the origin. `BYPASS`: it did, and the cache could not be used. */
export type Result = 'HIT' | 'MISS' | 'STALE' | 'BYPASS';

/** Where the entry was found. `load`: another request was loading it at that moment. */
export type Source = 'local' | 'redis' | 'load' | 'origin';

/** The outcome of a lookup. */
export interface Found {
  entry: Entry;
  result: Result;
  source: Source;
}

/** How a cache works. */
export interface CacheOptions {
  local: LocalCache;
  origin: Origin;
  /** Concurrent misses call the origin once in the cluster, once in each instance, or every time. */
  guard: 'cluster' | 'instance' | 'off';
  /** If false, every lookup calls the origin. */
  isEnabled: boolean;
  ttlMs: number;
  /** Milliseconds for which an expired entry is served while a new one is loaded. */
  staleMs: number;
  /** Milliseconds after which a call of the origin counts as failed. */
  originTimeoutMs: number;
  instance: { name: string };
  log: Logger;
}

/** The origin failed, and there is no entry to serve instead. */
export class OriginFailed extends Error {
  override name = 'OriginFailed';
  readonly status = 502;
  readonly expose = true;

  constructor(cause?: unknown) {
    super('The origin of this data fails now.', { cause });
  }
}

/** Counters since the start of the process. */
export interface CacheCounts {
  lookups: Record<'local' | 'redis' | 'collapsed' | 'miss' | 'stale' | 'bypass', number>;
  originCalls: number;
  originFailures: number;
  /** Loads that waited for another instance. */
  lockWaits: number;
}

/**
 * Cache-aside in two levels: this process, then Redis, then the origin. Concurrent misses of all
 * instances call the origin once and share its answer or its failure. An expired entry is served
 * while a new one is loaded. Without Redis the origin answers alone.
 */
export class Cache {
  readonly counts: CacheCounts = {
    lookups: { local: 0, redis: 0, collapsed: 0, miss: 0, stale: 0, bypass: 0 },
    originCalls: 0,
    originFailures: 0,
    lockWaits: 0,
  };
  #options: CacheOptions;
  #loads = new SingleFlight<Found>();
  #refreshes = new SingleFlight<void>();
  #limit = pLimit(MAX_BYPASS);
  #isOriginFailing = false;

  constructor(options: CacheOptions) {
    this.#options = options;
    options.local.onInvalidated((name) => this.#loads.forget(name));
  }

  /** The entry of this process, if it is fresh: the same as `get`, without waiting. */
  getFresh(name: string): Found | undefined {
    const cached = this.#options.local.get(name);
    if (cached === undefined || performance.now() >= cached.expiresAt) return undefined;
    return this.#use(name, cached, 'local');
  }

  /**
   * Looks a name up. Resolves to an entry with `data: null` if there is no such thing.
   *
   * @param signal of the request; rejects with its reason if it aborts
   * @throws {OriginFailed}
   */
  async get(name: string, signal: AbortSignal): Promise<Found> {
    const { local, isEnabled } = this.#options;
    if (!isEnabled) return this.#collapse(name, signal, (shared) => this.#bypass(name, shared));
    const fresh = this.getFresh(name);
    if (fresh) return fresh;
    try {
      const cached = await local.read(name);
      if (cached) return this.#use(name, cached, 'redis');
    } catch (err) {
      if (!isRedisUnavailable(err)) throw err;
    }
    return this.#collapse(name, signal, (shared) => this.#load(name, shared));
  }

  /** Invalidates a name. 100 ms after it resolves, no instance serves the old entry. */
  async invalidate(name: string): Promise<void> {
    await this.#options.local.redis.invalidate(name, this.#keepMs);
  }

  get #keepMs(): number {
    return this.#options.ttlMs + this.#options.staleMs + KEEP_MS;
  }

  #use(name: string, { entry, expiresAt }: CachedEntry, source: 'local' | 'redis'): Found {
    const { lookups } = this.counts;
    if (performance.now() < expiresAt) {
      lookups[source] += 1;
      return { entry, result: 'HIT', source };
    }
    lookups.stale += 1;
    this.#refresh(name, entry.token);
    return { entry, result: 'STALE', source };
  }

  /** Starts work once for all requests that need it at the same time, unless the guard is off. */
  async #collapse(
    name: string,
    signal: AbortSignal,
    start: (signal: AbortSignal) => Promise<Found>,
  ): Promise<Found> {
    if (this.#options.guard === 'off') return start(signal);
    const { result: found, joined } = await this.#loads.join(name, signal, start);
    if (!joined) return found;
    this.counts.lookups.collapsed += 1;
    return { ...found, source: 'load', result: found.result === 'MISS' ? 'HIT' : found.result };
  }

  /** Loads a name, or waits for the instance that is loading it. */
  async #load(name: string, signal: AbortSignal): Promise<Found> {
    const { local } = this.#options;
    let seen = 0;
    let awaited = 0;
    try {
      for (;;) {
        signal.throwIfAborted();
        const begun = await this.#begin(name, seen, awaited);
        if (begun.step === 'load') return await this.#loadAlone(name, begun.token, signal);
        if (begun.step === 'ended') return this.#useOutcome(begun.json);
        if (begun.step === 'wait') {
          if (awaited === 0) this.counts.lockWaits += 1;
          awaited ||= begun.token;
          await local.untilChanged(name, Math.min(begun.ms, POLL_MS));
          continue;
        }
        const cached = decode(begun.json, begun.ttlMs);
        if (cached) return this.#use(name, cached, 'redis');
        seen = Number.MAX_SAFE_INTEGER; // not an entry of ours: load a new one
      }
    } catch (err) {
      if (!isRedisUnavailable(err)) throw err;
      return this.#bypass(name, signal);
    }
  }

  /** Calls the origin and stores its answer. Always ends the load. */
  async #loadAlone(name: string, token: number, signal: AbortSignal): Promise<Found> {
    const { redis } = this.#options.local;
    try {
      const entry = await this.#locked(name, token, signal, (awaited) =>
        this.#callOrigin(name, token, awaited),
      );
      const isStored = await this.#store(name, entry);
      this.counts.lookups[isStored ? 'miss' : 'bypass'] += 1;
      return { entry, result: isStored ? 'MISS' : 'BYPASS', source: 'origin' };
    } catch (err) {
      const outcome = err instanceof OriginFailed ? encodeFailure(token) : undefined;
      redis.endLoad(name, token, outcome).catch(() => {}); // the lock expires
      throw err;
    }
  }

  /** The outcome of a load by another instance that was not stored: outdated by now, or failed. */
  #useOutcome(json: string): Found {
    const ended = decode(json, 0);
    if (!ended) throw new OriginFailed();
    this.counts.lookups.collapsed += 1;
    return { entry: ended.entry, result: 'HIT', source: 'load' };
  }

  /** Calls the origin without the cache. */
  async #bypass(name: string, signal: AbortSignal): Promise<Found> {
    const timer = setTimeout(() => this.#loads.forget(name), JOIN_BYPASS_MS);
    const call = () => this.#callOrigin(name, 0, signal);
    const entry = await this.#limit(call).finally(() => clearTimeout(timer));
    this.counts.lookups.bypass += 1;
    return { entry, result: 'BYPASS', source: 'origin' };
  }

  /** Replaces an expired entry in the background. A failed attempt is repeated after a while. */
  #refresh(name: string, seen: number): void {
    const refresh = async (signal: AbortSignal) => {
      try {
        const begun = await this.#begin(name, seen);
        if (begun.step === 'wait') await this.#options.local.untilChanged(name, begun.ms);
        if (begun.step !== 'load') return;
        const { token } = begun;
        const call = () => this.#callOrigin(name, token, signal);
        await this.#store(name, await this.#locked(name, token, signal, call));
      } catch {
        // Logged by #callOrigin. The lock stays meanwhile, for all instances.
        await delay(RETRY_MS, undefined, { ref: false });
      }
    };
    const isRunning = this.#refreshes.has(name);
    if (isRunning && this.#options.guard !== 'off') return;
    const { signal } = new AbortController(); // a refresh has no waiters
    const done = isRunning ? refresh(signal) : this.#refreshes.join(name, signal, refresh);
    done.catch(() => {});
  }

  /**
   * @param seen the token of an entry that is not wanted
   * @param awaited the token of a load that the caller has waited for
   */
  #begin(name: string, seen: number, awaited = 0) {
    const { local, guard } = this.#options;
    const lockMs = guard === 'cluster' ? LOCK_MS : 0;
    return local.redis.beginLoad(name, { seen, awaited, lockMs, keepMs: this.#keepMs });
  }

  /**
   * Holds the lock of a load while the work runs.
   *
   * @param signal aborts when the last waiter of this instance has left. The signal of the work
   *   aborts when no instance has a waiter left.
   */
  async #locked<T>(
    name: string,
    token: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { guard, local } = this.#options;
    signal.throwIfAborted();
    if (guard !== 'cluster') return work(signal);
    const unwanted = new AbortController();
    const renew = async () => {
      // If it fails, another instance may load the name too. The greater token wins.
      const isAwaited = await local.redis.renewLock(name, token, LOCK_MS).catch(() => false);
      if (signal.aborted && !isAwaited) unwanted.abort(signal.reason);
    };
    const timer = setInterval(renew, LOCK_MS / 3);
    signal.addEventListener('abort', renew);
    return work(unwanted.signal).finally(() => clearInterval(timer));
  }

  async #callOrigin(name: string, token: number, signal: AbortSignal): Promise<Entry> {
    const { origin, originTimeoutMs, instance, log } = this.#options;
    signal.throwIfAborted();
    const ended = AbortSignal.any([signal, AbortSignal.timeout(originTimeoutMs)]);
    const madeAt = Date.now();
    this.counts.originCalls += 1;
    try {
      const data = await Promise.race([origin(name, ended), rejectsAtEnd(ended)]);
      if (this.#isOriginFailing) log.info('origin: answers again');
      this.#isOriginFailing = false;
      return { data, madeBy: instance.name, madeAt, token };
    } catch (err) {
      if (signal.aborted) throw signal.reason;
      this.counts.originFailures += 1;
      if (!this.#isOriginFailing) log.warn({ reason: String(err) }, 'origin: fails');
      this.#isOriginFailing = true;
      throw new OriginFailed(err);
    }
  }

  /** Ends a load with its entry. Resolves to false if Redis cannot store it now. */
  async #store(name: string, entry: Entry): Promise<boolean> {
    const { local, ttlMs, staleMs } = this.#options;
    const isFound = entry.data !== null;
    const ttl = isFound ? ttlMs : Math.min(ttlMs, NOT_FOUND_MS);
    const usableMs = isFound ? staleMs : 0;
    const forMs = Math.ceil(ttl * (1 - JITTER * Math.random()) + usableMs);
    try {
      await local.redis.endLoad(name, entry.token, encode(entry, usableMs), forMs);
      return true;
    } catch (err) {
      if (!isRedisUnavailable(err)) throw err;
      return false;
    }
  }
}

/** Rejects when a signal aborts, in case the origin ignores it. */
async function rejectsAtEnd(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  throw signal.reason;
}
