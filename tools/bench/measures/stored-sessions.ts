import { randomBytes } from 'node:crypto';
import { sign } from 'cookie-signature';
import type { RedisClientType } from 'redis';
import { sessionKeys } from '../../../services/shared/session/keys.ts';

/** How many commands are sent to Redis at once. */
const BATCH = 1000;

/** The id of the only session that a Redis has. */
export async function onlySession(redis: RedisClientType): Promise<string> {
  const keys = await redis.keys('sess:*');
  if (keys.length !== 1) throw new Error(`one session was expected, not ${keys.length}`);
  return String(keys[0]).slice('sess:'.length);
}

/**
 * Stores sessions of visitors who have seen the page once: copies of `model` under other ids, with
 * the time to live that it has.
 *
 * @returns their ids
 */
export async function copySession(
  redis: RedisClientType,
  model: string,
  count: number,
): Promise<string[]> {
  const [session, views] = sessionKeys(model);
  const [json, seen, ttl] = await Promise.all([
    redis.get(session),
    redis.get(views),
    redis.ttl(session),
  ]);
  if (json === null || seen === null) throw new Error('the session to copy has ended');
  const expiration = { type: 'EX', value: ttl } as const;
  const ids = Array.from({ length: count }, () => randomBytes(24).toString('base64url'));
  for (let i = 0; i < count; i += BATCH) {
    const stored = ids.slice(i, i + BATCH).flatMap((id) => {
      const [sessionKey, viewsKey] = sessionKeys(id);
      return [
        redis.set(sessionKey, json, { expiration }),
        redis.set(viewsKey, seen, { expiration }),
      ];
    });
    await Promise.all(stored);
  }
  return ids;
}

/** The cookie of a session, signed as express-session signs it. */
export function signedCookie(id: string, secret: string): string {
  return `connect.sid=${encodeURIComponent(`s:${sign(id, secret)}`)}`;
}
