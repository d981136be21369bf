import { z } from 'zod';

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

/** In Redis an entry is stale for its last `staleMs`. Anybody may have written to Redis. */
const storedEntry = z.object({
  data: z.string().nullable(),
  madeBy: z.string(),
  madeAt: z.number(),
  token: z.int().nonnegative(),
  staleMs: z.number().nonnegative(),
}) satisfies z.ZodType<Entry>;

/** Writes an entry for Redis. */
export function encode(entry: Entry, staleMs: number): string {
  return JSON.stringify({ ...entry, staleMs } satisfies z.input<typeof storedEntry>);
}

/** Writes the outcome of a load that failed. It is no entry, so `decode` refuses it. */
export function encodeFailure(token: number): string {
  return JSON.stringify({ token });
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
    const { data, madeBy, madeAt, token, staleMs } = storedEntry.parse(JSON.parse(json));
    const staleUntil = ttlMs < 0 ? Infinity : performance.now() + ttlMs;
    return { entry: { data, madeBy, madeAt, token }, expiresAt: staleUntil - staleMs, staleUntil };
  } catch {
    return undefined;
  }
}
