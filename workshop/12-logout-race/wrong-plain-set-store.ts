import { RedisStore } from 'connect-redis';
import type { Redis } from '../../services/shared/process/redis.ts';
import type { SessionStore } from '../../services/shared/session/store.ts';

/**
 * The wrong way: connect-redis with its defaults. It uses a plain SET, so a slow request stores a
 * session again that has ended meanwhile.
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
