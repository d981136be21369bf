import { EventEmitter, once } from 'node:events';
import { BasicClientSideCache } from 'redis';
import { isDenied } from '../../shared/process/redis-errors.ts';
import { type CachedEntry, decode } from './cached-entry.ts';
import { type CacheRedis, cacheScripts, entryKey, parseKey } from './scripts.ts';

/**
 * Milliseconds for which entries here are trusted after Redis was last heard of. Redis sends
 * invalidations at once unless the connection is silent, so no entry is staler than this.
 */
const TRUST_MS = 100;
const MAX_ENTRIES = 1000;

type Reading = Promise<CachedEntry | undefined>;

/** How far a Redis is trusted to have sent its invalidations. */
interface Trust {
  until: number;
  isAsking: boolean;
}

/** Creates a Redis client with these scripts and this tracker, as `ServiceContext.connect` does. */
export type ConnectCache = (options: {
  name: string;
  scripts: typeof cacheScripts;
  changes: string[];
  currentReads: string[];
  clientSideCache?: BasicClientSideCache;
}) => CacheRedis & {
  /** The Redis that has a key, if there are several. */
  nodeOf?(key: string): object | undefined;
};

/**
 * The entries that this process has read from Redis, until Redis says that they have changed.
 * @see https://redis.io/docs/latest/develop/reference/client-side-caching/
 */
export class LocalCache {
  #redis: ReturnType<ConnectCache>;
  #isEnabled: boolean;
  #entries = new Map<string, { cached: CachedEntry; trust: Trust }>();
  /** Of each Redis that entries were read from. A Cluster has several. */
  #trusts = new Map<object, Trust>();
  /** The reads in progress whose results no invalidation has overtaken. */
  #readings = new Map<string, Reading>();
  #changes = new EventEmitter().setMaxListeners(0);
  #isTracking = true;

  /** @param isEnabled if false, no entry is kept, and each is read from Redis */
  constructor(connect: ConnectCache, isEnabled: boolean) {
    this.#isEnabled = isEnabled;
    const tracker = new BasicClientSideCache({ maxEntries: 1, recordStats: false });
    const options = {
      ...{ name: 'Redis (cache)', scripts: cacheScripts, changes: ['invalidate'] },
      currentReads: ['readEntry', 'beginLoad', 'confirm'],
    };
    this.#redis = connect({ ...options, clientSideCache: tracker });
    tracker.on('invalidate', (key?: string | Buffer) => this.#changed(key?.toString()));
    // Invalidations are missed without a connection, and a new connection tracks nothing yet.
    for (const event of ['error', 'ready', 'end']) this.redis.on(event, () => this.#changed());
    // Without CLIENT TRACKING, no entry is kept here, and those in Redis serve all the same.
    this.redis.on('error', (err) => {
      if (!isDenied(err) || !this.#isTracking) return;
      this.#isTracking = false;
      this.redis.destroy();
      this.#redis = connect(options);
    });
  }

  /** A client of its own, because Redis sends invalidations on its connection. */
  get redis(): ReturnType<ConnectCache> {
    return this.#redis;
  }

  /** The entry of a name, if it may still be used. */
  get(name: string): CachedEntry | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const { cached, trust } = entry;
    const now = performance.now();
    if (now > trust.until || now > cached.staleUntil) return undefined;
    if (now > trust.until - (TRUST_MS * 3) / 4) this.#ask(name, trust);
    return cached;
  }

  /** Reads the entry of a name from Redis. */
  async read(name: string): Promise<CachedEntry | undefined> {
    let reading = this.#readings.get(name);
    if (reading === undefined) {
      reading = this.#read(name);
      this.#readings.set(name, reading);
    }
    return reading;
  }

  /** Resolves when a name has changed in Redis, or after `ms` at the latest. */
  async untilChanged(name: string, ms: number): Promise<void> {
    await once(this.#changes, name, { signal: AbortSignal.timeout(ms) }).catch(() => {});
  }

  /** Calls `listener` with each name that is invalidated; without a name if any may have been. */
  onInvalidated(listener: (name?: string) => void): void {
    this.#changes.on('invalidated', listener);
  }

  #read(name: string): Reading {
    const sentAt = performance.now();
    const trust = this.#trustIn(this.redis.nodeOf?.(entryKey(name)) ?? this.redis);
    const reading: Reading = this.redis.readEntry(name).then(({ json, ttlMs }) => {
      extend(trust, sentAt);
      const cached = json === null ? undefined : decode(json, ttlMs);
      // An invalidation that arrived together with the reply has been handled before it.
      const isCurrent = this.#readings.get(name) === reading;
      if (cached && this.#isEnabled && this.#isTracking && isCurrent) {
        this.#keep(name, { cached, trust });
      }
      return cached;
    });
    const ended = () => {
      if (this.#readings.get(name) === reading) this.#readings.delete(name);
    };
    reading.then(ended, ended);
    return reading;
  }

  #keep(name: string, entry: { cached: CachedEntry; trust: Trust }): void {
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    if (this.#entries.size > MAX_ENTRIES) {
      for (const oldest of this.#entries.keys()) return void this.#entries.delete(oldest);
    }
  }

  #trustIn(redis: object): Trust {
    const known = this.#trusts.get(redis);
    if (known) return known;
    const trust = { until: 0, isAsking: false };
    this.#trusts.set(redis, trust);
    return trust;
  }

  #ask(name: string, trust: Trust): void {
    if (trust.isAsking) return;
    trust.isAsking = true;
    const sentAt = performance.now();
    const answered = () => extend(trust, sentAt);
    this.redis
      .confirm(name)
      .then(answered, () => {})
      .finally(() => {
        trust.isAsking = false;
      });
  }

  #changed(key?: string): void {
    if (key === undefined) {
      this.#trusts.clear();
      this.#entries.clear();
      this.#readings.clear();
      this.#changes.emit('invalidated');
      return;
    }
    const { name, kind } = parseKey(key) ?? {};
    if (name === undefined) return;
    if (kind === 'entry' || kind === 'watermark') {
      this.#entries.delete(name);
      this.#readings.delete(name);
    }
    if (kind === 'watermark') this.#changes.emit('invalidated', name);
    this.#changes.emit(name);
  }
}

/** Redis answers in order: a reply proves that all earlier invalidations have arrived. */
function extend(trust: Trust, sentAt: number): void {
  trust.until = Math.max(trust.until, sentAt + TRUST_MS);
}
