import { entryKey } from '../cache/cache-scripts.ts';
import { decode } from '../cache/entry.ts';
import { DATA } from '../cache/origin.ts';
import type { BoardRedis } from './board-scripts.ts';
import type { RedisView } from './messages.ts';

/** Milliseconds after which an answer of Redis is too old to say that it is reachable. */
const REACHABLE_MS = 1500;

/** Looks at Redis, and remembers what was seen last. */
export class Survey {
  #redis: BoardRedis;
  #seen: Omit<RedisView, 'reachable' | 'dataAgeSeconds'> = {
    operationsPerSecond: 0,
    memoryBytes: 0,
    sessions: 0,
    isExact: true,
  };
  #dataMadeAt: number | undefined;
  #answeredAt = -Infinity;
  #isAsking = false;

  constructor(redis: BoardRedis) {
    this.#redis = redis;
  }

  /** What was seen last. */
  view(now: number): RedisView {
    const ageMs = this.#dataMadeAt === undefined ? null : Date.now() - this.#dataMadeAt;
    return {
      reachable: now - this.#answeredAt < REACHABLE_MS,
      ...this.#seen,
      dataAgeSeconds: ageMs === null ? null : Math.max(0, Math.floor(ageMs / 1000)),
    };
  }

  /** Looks, unless it does so already. Never rejects. */
  async look(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const { json, ...seen } = await this.#redis.survey(entryKey(DATA));
      this.#seen = seen;
      this.#dataMadeAt = json === null ? undefined : decode(json, -1)?.entry.madeAt;
      this.#answeredAt = performance.now();
    } catch {
      this.#answeredAt = -Infinity; // that is what the page says
    } finally {
      this.#isAsking = false;
    }
  }
}
