import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { isRedisUnavailable } from '../../shared/process/redis.ts';
import type { Identity } from '../../shared/process/service.ts';
import { type Dated, decode, type Entry, encode } from './entry.ts';
import type { LocalCache } from './local-cache.ts';
import type { Origin } from './origin.ts';
import { Flights } from './single-flight.ts';

/**
 * Milliseconds for which a load holds its lock without renewing it: how long the others wait for an
 * instance that died over it.
 */
const LOCK_MS = 1000;
/** Milliseconds after which who waits for a load looks for it, though Redis has said nothing. */
const POLL_MS = 50;
/** Milliseconds after which an origin that failed is asked again for what is there, if stale. */
const RETRY_MS = 1000;
/** The longest load that nobody waits for, in milliseconds. */
const REFRESH_MS = 10_000;
/** Milliseconds for which it is known that the origin has no such thing. */
const NOT_FOUND_MS = 5000;
/** How much sooner than after its time an entry may expire, so that not all of them do at once. */
const JITTER = 0.1;
/** Milliseconds for which loads are still known by their numbers after what they stored has gone. */
const KEEP_MS = 600_000;
/** The most calls of the origin at once while there is no cache before it. */
const MAX_BYPASS = 16;

/** How a lookup ended. `MISS`: this one asked the origin. `BYPASS`: it did, for there is no cache now. */
export type Result = 'HIT' | 'MISS' | 'STALE' | 'BYPASS';

/** Where it was found. `load`: another request was loading it at that moment. */
export type Source = 'local' | 'redis' | 'load' | 'origin';

/** What a lookup has found. */
export interface Found {
  entry: Entry;
  result: Result;
  source: Source;
}

/** How a cache works. */
export interface CacheOptions {
  local: LocalCache;
  origin: Origin;
  /** Who is kept from loading the same at the same time: all instances, the requests of one, or nobody. */
  guard: 'cluster' | 'instance' | 'off';
  /** Whether there is a cache at all. */
  enabled: boolean;
  ttlMs: number;
  /** Milliseconds for which an entry is still used, while it is made anew, after it has expired. */
  staleMs: number;
  identity: Identity;
  log: Logger;
}

/** The origin failed, and there is nothing else to answer with. */
export class OriginFailed extends Error {
  override name = 'OriginFailed';
  readonly status = 502;
  readonly expose = true;

  constructor(cause: unknown) {
    super('The origin of this data fails now.', { cause });
  }
}

/** What a cache has done so far. */
export interface CacheCounts {
  /** Lookups, by how they ended. */
  lookups: Record<'local' | 'redis' | 'collapsed' | 'miss' | 'stale' | 'bypass', number>;
  originCalls: number;
  originFailures: number;
  /** How often a load waited for one of another instance. */
  lockWaits: number;
}

/**
 * Cache-aside: answers from this process, else from Redis, else from the origin. Of all instances
 * one asks the origin for the same name at the same time; what has expired is used for a while longer
 * while it is made anew; and without Redis the origin answers alone.
 */
export class Cache {
  readonly counts: CacheCounts = {
    lookups: { local: 0, redis: 0, collapsed: 0, miss: 0, stale: 0, bypass: 0 },
    originCalls: 0,
    originFailures: 0,
    lockWaits: 0,
  };
  #options: CacheOptions;
  #loads = new Flights<Found>();
  #refreshes = new Flights<void>();
  #limit = pLimit(MAX_BYPASS);
  #isOriginFailing = false;

  constructor(options: CacheOptions) {
    this.#options = options;
    options.local.onForgotten((name) => this.#loads.renew(name));
  }

  /** What is at hand, if it is and is fresh: the same as `get`, without waiting. */
  peek(name: string): Found | undefined {
    const kept = this.#options.local.get(name);
    if (kept === undefined || performance.now() >= kept.freshUntil) return undefined;
    return this.#use(name, kept, 'local');
  }

  /**
   * Looks a name up. Resolves to an entry without data where there is no such thing.
   *
   * @param signal of the one who asks; rejects with its reason when it aborts
   * @throws {OriginFailed} where the origin was asked in vain
   */
  async get(name: string, signal: AbortSignal): Promise<Found> {
    const { local, enabled } = this.#options;
    if (!enabled) return this.#collapse(name, signal, (ending) => this.#bypass(name, ending));
    const kept = this.peek(name);
    if (kept) return kept;
    try {
      const dated = await local.read(name);
      if (dated) return this.#use(name, dated, 'redis');
    } catch (err) {
      if (!isRedisUnavailable(err)) throw err;
    }
    return this.#collapse(name, signal, (ending) => this.#load(name, ending));
  }

  /** Forgets a name. Within 100 ms after it resolves no instance answers with what it had before. */
  async forget(name: string): Promise<void> {
    await this.#options.local.redis.forget(name, this.#keepMs);
  }

  get #keepMs(): number {
    return this.#options.ttlMs + this.#options.staleMs + KEEP_MS;
  }

  #use(name: string, { entry, freshUntil }: Dated, source: 'local' | 'redis'): Found {
    const { lookups } = this.counts;
    if (performance.now() < freshUntil) {
      lookups[source] += 1;
      return { entry, result: 'HIT', source };
    }
    lookups.stale += 1;
    this.#refresh(name, entry.load);
    return { entry, result: 'STALE', source };
  }

  /** Does for all who ask at the same time what one of them would do, unless the guard is off. */
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

  /** Loads a name that Redis has not, or waits for the instance that does. */
  async #load(name: string, signal: AbortSignal): Promise<Found> {
    const { local } = this.#options;
    let seen = 0;
    let hasWaited = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        const begun = await this.#begin(name, seen);
        if (begun.step === 'load') return await this.#loadAlone(name, begun.load, signal);
        if (begun.step === 'wait') {
          if (!hasWaited) this.counts.lockWaits += 1;
          hasWaited = true;
          await local.untilChanged(name, Math.min(begun.ms, POLL_MS));
          continue;
        }
        const dated = decode(begun.json, begun.remainingMs);
        if (dated) return this.#use(name, dated, 'redis');
        seen = Number.MAX_SAFE_INTEGER; // no entry of ours: it is loaded anew
      }
    } catch (err) {
      if (!isRedisUnavailable(err)) throw err;
      return this.#bypass(name, signal);
    }
  }

  /** Asks the origin and stores what it says; ends the load in any case. */
  async #loadAlone(name: string, load: number, signal: AbortSignal): Promise<Found> {
    const { redis } = this.#options.local;
    try {
      const entry = await this.#locked(name, load, () => this.#ask(name, load, signal));
      const isStored = await this.#store(name, entry);
      this.counts.lookups[isStored ? 'miss' : 'bypass'] += 1;
      return { entry, result: isStored ? 'MISS' : 'BYPASS', source: 'origin' };
    } catch (err) {
      redis.endLoad(name, load).catch(() => {}); // its lock expires
      throw err;
    }
  }

  /** Asks the origin past the cache. */
  async #bypass(name: string, signal: AbortSignal): Promise<Found> {
    const entry = await this.#limit(() => this.#ask(name, 0, signal));
    this.counts.lookups.bypass += 1;
    return { entry, result: 'BYPASS', source: 'origin' };
  }

  /** Makes anew, in the background, what has expired. Where that fails it is tried again after a while. */
  #refresh(name: string, seen: number): void {
    const refresh = async (signal: AbortSignal) => {
      try {
        const begun = await this.#begin(name, seen);
        if (begun.step === 'wait') await this.#options.local.untilChanged(name, begun.ms);
        if (begun.step !== 'load') return;
        const { load } = begun;
        await this.#store(
          name,
          await this.#locked(name, load, () => this.#ask(name, load, signal)),
        );
      } catch {
        // What failed has been reported where it did. The lock stays meanwhile, for all instances.
        await delay(RETRY_MS, undefined, { ref: false });
      }
    };
    const isUnderWay = this.#refreshes.has(name);
    if (isUnderWay && this.#options.guard !== 'off') return;
    const signal = AbortSignal.timeout(REFRESH_MS);
    const done = isUnderWay ? refresh(signal) : this.#refreshes.join(name, signal, refresh);
    done.catch(() => {});
  }

  #begin(name: string, seen: number) {
    const { local, guard } = this.#options;
    return local.redis.beginLoad(name, seen, guard === 'cluster' ? LOCK_MS : 0, this.#keepMs);
  }

  /** Holds the lock of a load for as long as the work takes. */
  async #locked<T>(name: string, load: number, work: () => Promise<T>): Promise<T> {
    if (this.#options.guard !== 'cluster') return work();
    const timer = setInterval(() => {
      // Without the lock another instance loads it too, and the later load counts.
      this.#options.local.redis.renewLock(name, load, LOCK_MS).catch(() => {});
    }, LOCK_MS / 3);
    return work().finally(() => clearInterval(timer));
  }

  async #ask(name: string, load: number, signal: AbortSignal): Promise<Entry> {
    const { origin, identity, log } = this.#options;
    signal.throwIfAborted();
    const madeAt = Date.now();
    this.counts.originCalls += 1;
    try {
      const data = await origin(name, signal);
      if (this.#isOriginFailing) log.info('origin: answers again');
      this.#isOriginFailing = false;
      return { data, madeBy: identity.name, madeAt, load };
    } catch (err) {
      if (signal.aborted) throw signal.reason;
      this.counts.originFailures += 1;
      if (!this.#isOriginFailing) log.warn({ reason: String(err) }, 'origin: fails');
      this.#isOriginFailing = true;
      throw new OriginFailed(err);
    }
  }

  /** Ends a load with its entry. Resolves to false where Redis cannot store it now. */
  async #store(name: string, entry: Entry): Promise<boolean> {
    const { local, ttlMs, staleMs } = this.#options;
    const isThere = entry.data !== null;
    const freshMs =
      (isThere ? ttlMs : Math.min(ttlMs, NOT_FOUND_MS)) * (1 - JITTER * Math.random());
    const usableMs = isThere ? staleMs : 0;
    const forMs = Math.ceil(freshMs + usableMs);
    try {
      await local.redis.endLoad(name, entry.load, encode(entry, usableMs), forMs);
      return true;
    } catch (err) {
      if (!isRedisUnavailable(err)) throw err;
      return false;
    }
  }
}
