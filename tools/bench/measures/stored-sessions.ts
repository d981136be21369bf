import { randomBytes } from 'node:crypto';
import { sign } from 'cookie-signature';
import type { RedisClientType } from 'redis';
import { sessionKeys } from '../../../services/shared/session/keys.ts';

/** Sessions that are sent to Redis at once. */
const AT_ONCE = 1000;

/** The id of the only session that Redis stores. */
export async function onlySession(redis: RedisClientType): Promise<string> {
  const keys = await redis.keys('sess:*');
  if (keys.length !== 1) throw new Error(`one session was expected, not ${keys.length}`);
  return String(keys[0]).slice('sess:'.length).replace(/[{}]/g, '');
}

/**
 * Stores copies of the session `model` with all its state and its time to live, under other ids.
 *
 * @returns the ids
 */
export async function copySession(
  redis: RedisClientType,
  model: string,
  count: number,
): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomBytes(24).toString('base64url'));
  for (let i = 0; i < count; i += AT_ONCE) {
    const copies = ids.slice(i, i + AT_ONCE).flatMap((id) => {
      const keys = sessionKeys(id);
      return sessionKeys(model).map((key, part) => redis.copy(key, keys[part] as string));
    });
    await Promise.all(copies);
  }
  return ids;
}

/** Looks up all keys of sessions. With each look-up Redis moves keys to a hash table that has grown. */
export async function lookUpSessions(redis: RedisClientType, ids: string[]): Promise<void> {
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    await Promise.all(ids.slice(i, i + AT_ONCE).map((id) => redis.exists(sessionKeys(id))));
  }
}

/** The cookie of a session, signed as express-session signs it. */
export function signedCookie(id: string, secret: string): string {
  return `connect.sid=${encodeURIComponent(`s:${sign(id, secret)}`)}`;
}
