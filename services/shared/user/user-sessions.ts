import { hash } from 'node:crypto';
import { type CommandParser, defineScript, type RedisClientType } from 'redis';
import { taggedId } from '../session/keys.ts';
import type { sessionScripts } from '../session/scripts.ts';

/** The largest number of sessions of one user. The next login ends the session renewed longest ago. */
export const MAX_SESSIONS = 1000;

/** Seconds for which a client may repeat "log out everywhere" after its own session has ended. */
const REPEAT_SECONDS = 60;

/**
 * Adds a session to the list of a user, and drops the entries that have expired. Replies with all
 * entries but the `kept` newest.
 */
const listSession = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: `
    local now = redis.call('TIME')[1]
    if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then redis.call('DEL', KEYS[1]) end
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    return redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[3])`,
  parseCommand(parser: CommandParser, key: string, id: string, seconds: number, kept: number) {
    parser.pushKey(key);
    parser.push(id, String(seconds), String(kept));
  },
  transformReply: (reply: unknown) => reply as string[],
});

/** The scripts to pass to `createClient`, besides those of sessions. */
export const userScripts = { listSession };

/** What a visitor may be told of as done. */
export const userChanges = ['listSession'];

type UserRedis = RedisClientType<
  Record<never, never>,
  Record<never, never>,
  typeof sessionScripts & typeof userScripts
>;

/**
 * The list of each user's sessions, for "log out everywhere". It is in another slot of a Redis Cluster
 * than the sessions, so no step changes both. A session is listed after it is stored and before the
 * login is acknowledged. An entry whose session has ended does no harm, and expires.
 */
export class UserSessions {
  #redis: UserRedis;
  #seconds: number;

  /** @param ttlSeconds seconds after which an unused session expires */
  constructor(redis: UserRedis, ttlSeconds: number) {
    this.#redis = redis;
    // An entry outlives its session, which is renewed often enough (renewal.ts).
    this.#seconds = Math.ceil(1.5 * ttlSeconds);
  }

  /** Lists a session. It is repeated while the session is in use. */
  async add(name: string, id: string): Promise<void> {
    const surplus = await this.#redis.listSession(listOf(name), id, this.#seconds, MAX_SESSIONS);
    await this.#end(name, surplus);
  }

  /** Removes a session that has ended. If that fails, its entry expires later. */
  async remove(name: string, id: string): Promise<void> {
    await this.#redis.zRem(listOf(name), id).catch(() => {});
  }

  /**
   * Ends all sessions of a user but the own one, which can repeat this after a failure. The own one is
   * to be ended then.
   */
  async endOthers(name: string, ownId: string): Promise<void> {
    const ids = await this.#redis.listSession(listOf(name), ownId, this.#seconds, 0);
    const others = ids.filter((id) => id !== ownId);
    await this.#end(name, others);
    await this.#redis.set(endedKey(ownId), '', { EX: REPEAT_SECONDS });
  }

  /** Tells whether this session, which is gone, has just ended all others of its user. */
  async hasEndedOthers(id: string): Promise<boolean> {
    return (await this.#redis.exists(endedKey(id))) > 0;
  }

  async #end(name: string, ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    await Promise.all(ids.map((id) => this.#redis.deleteSession(id)));
    await this.#redis.zRem(listOf(name), ids);
  }
}

/** Hashed, because names of keys appear in logs and tools of Redis. It also limits their length. */
function listOf(name: string): string {
  return `user:${hash('sha256', name, 'base64url')}`;
}

function endedKey(id: string): string {
  return `ended:${taggedId(id)}`;
}
