import type { Redis } from '../shared/redis.ts';

/** A cached value, and who made it. */
export interface Entry {
  data: string;
  /** The instance that asked the origin. */
  madeBy: string;
  /** Milliseconds since 1970. */
  madeAt: number;
}

/** A cache that all instances share. */
export interface DataCache {
  /** The cached entry, or `undefined`. An error of Redis is an error, not a miss. */
  get(): Promise<Entry | undefined>;
  /** Resolves when the entry is stored. */
  set(entry: Entry): Promise<void>;
  forget(): Promise<void>;
}

const KEY = 'cache:data';

/** Keeps an entry in Redis for `ttlSeconds`. */
export function redisCache(redis: Redis, ttlSeconds: number): DataCache {
  return {
    async get() {
      const stored = await redis.get(KEY);
      return stored === null ? undefined : (JSON.parse(stored) as Entry);
    },
    async set(entry) {
      await redis.set(KEY, JSON.stringify(entry), {
        expiration: { type: 'EX', value: ttlSeconds },
      });
    },
    async forget() {
      await redis.del(KEY);
    },
  };
}
