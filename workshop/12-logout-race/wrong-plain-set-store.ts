import { RedisStore } from 'connect-redis';
import type { SessionRedis } from '../../services/shared/session/scripts.ts';
import type { SessionStore } from '../../services/shared/session/store.ts';

/**
 * The wrong way: connect-redis with its defaults. It uses a plain SET, so a slow request stores a
 * session again that has ended meanwhile.
 */
export function plainSetStore(client: SessionRedis, ttl: number): SessionStore {
  const store = new RedisStore({ client, ttl });
  return Object.assign(store, {
    async replace(id: string, newId: string, session: object) {
      await store.set(newId, session as Parameters<typeof store.set>[1]);
      await store.destroy(id);
      return newId;
    },
    async wasReplaced() {
      return false;
    },
  });
}
