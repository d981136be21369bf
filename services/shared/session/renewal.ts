import type { SessionData } from 'express-session';

/** The share of the lifetime of a session after which its renewal is due. */
const INTERVAL = 0.1;

/** What lasts as long as a session, but is not in Redis beside it. */
export interface Renewal {
  /** Seconds after which an unused session expires. */
  ttlSeconds: number;
  /** Is called for the session of a user, in time before anything can expire. */
  renew: (name: string, id: string) => Promise<unknown>;
}

/**
 * When the renewal of a session is due, in milliseconds since 1970. Redis extends the TTL of a session
 * with each use. A cookie that outlives the browser does not know of it, nor does the list of the
 * sessions of a user, so both are renewed at times. A session that has neither is never due.
 */
export function renewalTime(
  { name, cookie, renewedAt = 0 }: Pick<SessionData, 'name' | 'cookie' | 'renewedAt'>,
  ttlSeconds: number,
): number {
  const isNeeded = name !== undefined || cookie.originalMaxAge !== null;
  return isNeeded ? renewedAt + INTERVAL * ttlSeconds * 1000 : Infinity;
}
