import { RedisStore } from 'connect-redis';
import type { Redis } from '../../services/shared/process/redis.ts';
import type { SessionStore } from '../../services/shared/session/store.ts';

/**
 * The wrong way: connect-redis as it comes. It stores a session by a plain SET, whether or not there
 * still is one, so that a request that was slow stores one that has ended meanwhile.
 */
export function plainSetStore(client: Redis, ttl: number): SessionStore {
  const store = new RedisStore({ client, ttl });
  return Object.assign(store, {
    async replace(before: string, after: string, session: object) {
      await store.set(after, session as Parameters<typeof store.set>[1]);
      await store.destroy(before);
      return after;
    },
    async wasReplaced() {
      return false;
    },
  });
}
