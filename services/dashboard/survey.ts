import { decode } from '../app/cache/entry.ts';
import { DATA } from '../app/cache/origin.ts';
import { entryKey } from '../app/cache/scripts.ts';
import type { BoardRedis } from './board-scripts.ts';
import type { RedisView } from './messages.ts';

/** Milliseconds after which an answer of Redis is too old to say that it is reachable. */
const REACHABLE_MS = 1500;

/** Looks at Redis, and remembers what was seen last. */
export class Survey {
  #redis: BoardRedis;
  #seen = { operationsPerSecond: 0, memoryBytes: 0, sessions: 0 };
  /** Where the count of sessions goes on, and what was counted so far: it takes a while with many keys. */
  #cursor = '0';
  #counted = 0;
  #dataMadeAt: number | undefined;
  #answeredAt = -Infinity;
  #isAsking = false;

  constructor(redis: BoardRedis) {
    this.#redis = redis;
  }

  /** What was seen last. */
  view(): RedisView {
    const ageMs = this.#dataMadeAt === undefined ? null : Date.now() - this.#dataMadeAt;
    return {
      reachable: performance.now() - this.#answeredAt < REACHABLE_MS,
      ...this.#seen,
      dataAgeSeconds: ageMs === null ? null : Math.max(0, Math.floor(ageMs / 1000)),
    };
  }

  /** Looks, unless it does so already. Never rejects. */
  async look(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const found = await this.#redis.survey(entryKey(DATA), this.#cursor);
      const { operationsPerSecond, memoryBytes, entry } = found;
      this.#cursor = found.cursor;
      this.#counted += found.sessions;
      let { sessions } = this.#seen;
      if (this.#cursor === '0') {
        sessions = this.#counted;
        this.#counted = 0;
      }
      this.#seen = { operationsPerSecond, memoryBytes, sessions };
      this.#dataMadeAt = entry === null ? undefined : decode(entry, -1)?.entry.madeAt;
      this.#answeredAt = performance.now();
    } catch {
      this.#answeredAt = -Infinity; // that is what the page says
    } finally {
      this.#isAsking = false;
    }
  }
}
