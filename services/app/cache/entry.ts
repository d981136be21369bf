/** A cached value, and who made it. */
export interface Entry {
  /** `null` where the origin has no such thing. */
  data: string | null;
  /** The instance that asked the origin. */
  madeBy: string;
  /** When it asked, in milliseconds since 1970: what it was told is at least as new. */
  madeAt: number;
  /** Numbers the loads of one name in the order in which they began. 0: it went past the cache. */
  load: number;
}

/** An entry, with how long it may be used. */
export interface Dated {
  entry: Entry;
  /** Until when it is fresh, and until when it is better than nothing, by `performance.now()`. */
  freshUntil: number;
  staleUntil: number;
}

/** An entry as it is stored. For its last `staleMs` in Redis it is stale. */
interface Stored extends Entry {
  staleMs: number;
}

/** Writes an entry for Redis. */
export function encode(entry: Entry, staleMs: number): string {
  return JSON.stringify({ ...entry, staleMs } satisfies Stored);
}

/**
 * Reads what Redis has. How long it may be used follows from how long Redis will have it, so that
 * the clocks of the machines need not agree.
 *
 * @param remainingMs how long Redis will have it, negative for ever
 * @returns `undefined` where it can be no entry
 */
export function decode(json: string, remainingMs: number): Dated | undefined {
  try {
    const { data, madeBy = '', madeAt, load = 0, staleMs = 0 } = JSON.parse(json) as Stored;
    if (!(data === null || typeof data === 'string') || typeof madeAt !== 'number')
      return undefined;
    const staleUntil = remainingMs < 0 ? Infinity : performance.now() + remainingMs;
    return { entry: { data, madeBy, madeAt, load }, freshUntil: staleUntil - staleMs, staleUntil };
  } catch {
    return undefined;
  }
}
