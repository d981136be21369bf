/** What the origin answered, and when. */
export interface Entry {
  /** `null` if the origin has no such thing. */
  data: string | null;
  /** The instance that asked the origin. */
  madeBy: string;
  /** When it asked, in milliseconds since 1970. The data is at least as new. */
  madeAt: number;
  /** The fencing token of the load: later loads have greater ones. 0 if it bypassed the cache. */
  token: number;
}

/** An entry and its times, by `performance.now()`. */
export interface CachedEntry {
  entry: Entry;
  /** Until then it is fresh. */
  expiresAt: number;
  /** Until then it may be used while a new one is loaded. */
  staleUntil: number;
}

/** In Redis an entry is stale for its last `staleMs`. */
interface StoredEntry extends Entry {
  staleMs: number;
}

/** Writes an entry for Redis. */
export function encode(entry: Entry, staleMs: number): string {
  return JSON.stringify({ ...entry, staleMs } satisfies StoredEntry);
}

/**
 * Reads an entry from Redis. Its times follow from the TTL, so the clocks of the machines need not
 * agree.
 *
 * @param ttlMs the time to live in Redis; negative if it has none
 * @returns `undefined` if it is not an entry
 */
export function decode(json: string, ttlMs: number): CachedEntry | undefined {
  try {
    const { data, madeBy = '', madeAt, token = 0, staleMs = 0 } = JSON.parse(json) as StoredEntry;
    if (!(data === null || typeof data === 'string') || typeof madeAt !== 'number')
      return undefined;
    const staleUntil = ttlMs < 0 ? Infinity : performance.now() + ttlMs;
    return { entry: { data, madeBy, madeAt, token }, expiresAt: staleUntil - staleMs, staleUntil };
  } catch {
    return undefined;
  }
}
