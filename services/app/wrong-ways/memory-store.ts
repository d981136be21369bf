import session, { type Store } from 'express-session';
import type { Logger } from 'pino';

/**
 * SESSION_STORE=memory, the wrong way for teaching: each instance keeps its sessions to itself, so
 * that a visitor is a stranger to every other instance, and all is lost when it ends.
 */
export function memoryStore(log: Logger): Store {
  log.warn('SESSION_STORE=memory: this instance shares no session with the others (for teaching)');
  return new session.MemoryStore();
}
