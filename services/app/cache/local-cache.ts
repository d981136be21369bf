import { EventEmitter, once } from 'node:events';
import { BasicClientSideCache } from 'redis';
import type { Connect } from '../../shared/process/service.ts';
import { type Dated, decode } from './entry.ts';
import { cacheScripts, nameOf } from './scripts.ts';

/**
 * Milliseconds for which what is kept here is trusted after Redis was last heard of. Redis tells at
 * once what has changed, unless the connection is silent: so nothing is older than this.
 */
const TRUST_MS = 100;
/** The most entries that are kept. */
const MAX_ENTRIES = 1000;

type Reading = Promise<Dated | undefined>;

/**
 * The entries that this process has read from Redis, kept for as long as Redis has not said that
 * they have changed.
 * @see https://redis.io/docs/latest/develop/reference/client-side-caching/
 */
export class LocalCache {
  /** A client of its own: Redis tells it of changes unasked. */
  readonly redis;
  #keeps: boolean;
  #kept = new Map<string, Dated>();
  /** The replies that are under way, and will be right when they come. */
  #readings = new Map<string, Reading>();
  #changes = new EventEmitter().setMaxListeners(0);
  #trustedUntil = 0;
  #isAsking = false;

  /** @param keeps whether entries are kept at all */
  constructor(connect: Connect, keeps: boolean) {
    this.#keeps = keeps;
    const tracking = new BasicClientSideCache({ maxEntries: 1, recordStats: false });
    this.redis = connect({
      name: 'Redis (cache)',
      scripts: cacheScripts,
      clientSideCache: tracking,
    });
    tracking.on('invalidate', (key?: string | Buffer) => this.#changed(key?.toString()));
    // Without a connection changes are missed, and with a new one Redis knows nothing of what was read.
    for (const event of ['error', 'ready', 'end']) this.redis.on(event, () => this.#changed());
  }

  /** What is kept of a name, if it may still be used. */
  get(name: string): Dated | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined) return undefined;
    const now = performance.now();
    if (now > this.#trustedUntil || now > kept.staleUntil) return undefined;
    if (now > this.#trustedUntil - (TRUST_MS * 3) / 4) this.#ask(now);
    return kept;
  }

  /** What Redis has. */
  async read(name: string): Promise<Dated | undefined> {
    let reading = this.#readings.get(name);
    if (reading === undefined) {
      reading = this.#read(name);
      this.#readings.set(name, reading);
    }
    return reading;
  }

  /** Resolves when what Redis has of a name has changed, or after `ms` at the latest. */
  async untilChanged(name: string, ms: number): Promise<void> {
    await once(this.#changes, name, { signal: AbortSignal.timeout(ms) }).catch(() => {});
  }

  /** Calls `listener` with each name that is forgotten, and without one where any may have been. */
  onForgotten(listener: (name?: string) => void): void {
    this.#changes.on('forgotten', listener);
  }

  #read(name: string): Reading {
    const askedAt = performance.now();
    const reading: Reading = this.redis.readEntry(name).then(({ json, remainingMs }) => {
      this.#trust(askedAt);
      const dated = json === null ? undefined : decode(json, remainingMs);
      // Redis may have said in the same breath that it has changed, and that was heard first.
      if (dated && this.#keeps && this.#readings.get(name) === reading) this.#keep(name, dated);
      return dated;
    });
    const ended = () => {
      if (this.#readings.get(name) === reading) this.#readings.delete(name);
    };
    reading.then(ended, ended);
    return reading;
  }

  #keep(name: string, dated: Dated): void {
    this.#kept.delete(name);
    this.#kept.set(name, dated);
    if (this.#kept.size > MAX_ENTRIES) {
      for (const oldest of this.#kept.keys()) return void this.#kept.delete(oldest);
    }
  }

  /** Redis answers in order: after a reply, what had changed before was heard of. */
  #trust(askedAt: number): void {
    this.#trustedUntil = Math.max(this.#trustedUntil, askedAt + TRUST_MS);
  }

  #ask(now: number): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const answered = () => {
      this.#isAsking = false;
    };
    this.redis
      .ping()
      .then(
        () => this.#trust(now),
        () => {},
      )
      .finally(answered);
  }

  #changed(key?: string): void {
    if (key === undefined) {
      this.#trustedUntil = 0;
      this.#kept.clear();
      this.#readings.clear();
      this.#changes.emit('forgotten');
      return;
    }
    const { name, kind } = nameOf(key) ?? {};
    if (name === undefined) return;
    if (kind !== 'lock') {
      this.#kept.delete(name);
      this.#readings.delete(name);
    }
    if (kind === 'floor') this.#changes.emit('forgotten', name);
    this.#changes.emit(name);
  }
}
