import { promisify } from 'node:util';
import session, { type SessionData } from 'express-session';
import type { Logger } from 'pino';
import type { SessionStore } from '../../shared/session/store.ts';

/**
 * SESSION_STORE=memory, a wrong way for teaching: each instance keeps its own sessions. A visitor is
 * a stranger to every other instance, and a restart loses all sessions.
 */
export function memoryStore(log: Logger): SessionStore {
  log.warn('SESSION_STORE=memory: this instance shares no session with the others (for teaching)');
  const store = new session.MemoryStore();
  return Object.assign(store, {
    async replace(id: string, newId: string, data: Partial<SessionData>) {
      await promisify(store.set).call(store, newId, data as SessionData);
      await promisify(store.destroy).call(store, id);
      return newId;
    },
    async wasReplaced() {
      return false;
    },
  });
}
