import { promisify } from 'node:util';
import session, { type SessionData } from 'express-session';
import type { Logger } from 'pino';
import type { SessionStore } from '../../shared/session/store.ts';

/**
 * SESSION_STORE=memory, the wrong way for teaching: each instance keeps its sessions to itself, so
 * that a visitor is a stranger to every other instance, and all is lost when it ends.
 */
export function memoryStore(log: Logger): SessionStore {
  log.warn('SESSION_STORE=memory: this instance shares no session with the others (for teaching)');
  const store = new session.MemoryStore();
  return Object.assign(store, {
    async replace(before: string, after: string, data: Partial<SessionData>) {
      await promisify(store.set).call(store, after, data as SessionData);
      await promisify(store.destroy).call(store, before);
      return after;
    },
    async wasReplaced() {
      return false;
    },
  });
}
