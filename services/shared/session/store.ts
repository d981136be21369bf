import { RedisStore } from 'connect-redis';
import type { SessionData, Store } from 'express-session';
import type { Logger } from 'pino';
import { ErrorReply } from 'redis';
import { z } from 'zod';
import { replacedKey, sessionKeys, taggedId } from './keys.ts';
import type { SessionRedis } from './scripts.ts';

/** The version of the stored format. Sessions of another version are dropped. */
export const VERSION = 1;

const storedSession = z.looseObject({
  version: z.literal(VERSION),
  cookie: z.looseObject({
    originalMaxAge: z.number().nullable(),
    expires: z.iso.datetime().nullish(),
  }),
  startedAt: z.number(),
  name: z.string().optional(),
  since: z.string().optional(),
  renewedAt: z.number().optional(),
});

/** The session ended, through another request, while this request was in progress. */
export class SessionEnded extends Error {
  override name = 'SessionEnded';
  readonly status = 409;
  readonly expose = true;

  constructor() {
    super('The session ended while this request was in progress. Please send it again.');
  }
}

/** A store that can replace one session by another. */
export interface SessionStore extends Store {
  /**
   * Stores `session` under `newId` with all the state of session `id`, which ends. If it fails,
   * nothing has changed.
   *
   * @param idempotencyKey if this replaced the session before, the session stored then stays
   * @returns the id of the new session, or `undefined` if session `id` no longer exists
   */
  replace(
    id: string,
    newId: string,
    session: Partial<SessionData>,
    idempotencyKey?: string,
  ): Promise<string | undefined>;

  /** Tells whether a session was replaced in the last few seconds. */
  wasReplaced(id: string): Promise<boolean>;
}

type Callback<T = void> = (err?: unknown, data?: T) => void;

/**
 * connect-redis with three guards:
 * - A slow request never stores a session again that has ended (`SET … XX`).
 * - A corrupt session is logged and dropped, instead of failing forever.
 * - An unchanged session is not stored twice.
 */
export class RedisSessionStore extends RedisStore implements SessionStore {
  #redis: SessionRedis;
  #ttlSeconds: number;
  #log: Logger;
  /** The JSON that is stored of a session; `undefined` if only its existence is known. */
  #stored = new WeakMap<object, string | undefined>();

  constructor(redis: SessionRedis, ttlSeconds: number, log: Logger) {
    const serializer = { parse, stringify: JSON.stringify };
    super({ client: redis, prefix: 'sess:', ttl: ttlSeconds, serializer });
    // With `touch`, express-session asks Redis once more and sends each reply in two pieces. The
    // scripts extend the TTL instead.
    Object.assign(this, { touch: undefined });
    this.#redis = redis;
    this.#ttlSeconds = ttlSeconds;
    this.#log = log;
  }

  override get(id: string, callback?: Callback<SessionData | null>): Promise<SessionData | null> {
    return withCallback(this.#get(id), callback);
  }

  override createSession(...args: Parameters<Store['createSession']>) {
    const session = super.createSession(...args);
    this.#stored.set(session, undefined);
    return session;
  }

  override set(id: string, session: SessionData, callback?: Callback): Promise<void> {
    return withCallback(this.#set(id, session), callback);
  }

  override destroy(id: string, callback?: Callback): Promise<void> {
    return withCallback(this.#redis.deleteSession(id), callback);
  }

  async replace(
    id: string,
    newId: string,
    session: Partial<SessionData>,
    idempotencyKey?: string,
  ): Promise<string | undefined> {
    const json = JSON.stringify(session);
    const target = { id, ttlSeconds: this.#ttlSeconds, idempotencyKey };
    const storedId = await this.#redis.replaceSession(target, newId, json);
    if (storedId === newId) this.#stored.set(session, json);
    return storedId ?? undefined;
  }

  async wasReplaced(id: string): Promise<boolean> {
    return (await this.#redis.exists(replacedKey(id))) > 0;
  }

  async #get(id: string): Promise<SessionData | null> {
    try {
      const session = await super.get(taggedId(id));
      // Another program may have deleted the session alone. Without its state, this changes nothing.
      // It waits for replicas as every change: a primary without them may be a former one, on which
      // the session is missing because another one has it.
      if (!session) await this.#redis.deleteSession(id);
      return session;
    } catch (err) {
      if (!isCorrupt(err)) throw err;
      this.#log.warn({ reason: err.message }, 'session dropped');
      await this.#destroy(id);
      return null;
    }
  }

  async #set(id: string, session: SessionData): Promise<void> {
    const json = JSON.stringify(session);
    if (this.#stored.get(session) === json) return;
    const target = { id, ttlSeconds: this.#ttlSeconds };
    const isStored = await this.#redis.storeSession(target, json, !this.#stored.has(session));
    if (!isStored) throw new SessionEnded();
    this.#stored.set(session, json);
  }

  async #destroy(id: string): Promise<void> {
    await this.#redis.del(sessionKeys(id));
  }
}

/** Tells whether the JSON in Redis is a session. */
export function isValidSession(json: string): boolean {
  try {
    parse(json);
    return true;
  } catch {
    return false;
  }
}

/** The message does not repeat what is stored. */
class CorruptSession extends Error {}

function parse(json: string): SessionData {
  try {
    return storedSession.parse(JSON.parse(json)) as unknown as SessionData;
  } catch (err) {
    const issue = err instanceof z.ZodError && err.issues[0];
    const reason = issue ? `${issue.path.join('.')}: ${issue.message}` : 'not JSON';
    throw new CorruptSession(`not a session of version ${VERSION} (${reason})`);
  }
}

function isCorrupt(err: unknown): err is Error {
  if (err instanceof ErrorReply) return err.message.startsWith('WRONGTYPE');
  return err instanceof CorruptSession;
}

/** express-session expects callbacks. */
function withCallback<T>(work: Promise<T>, callback?: Callback<T>): Promise<T> {
  if (callback) work.then((data) => callback(null, data), callback);
  return work;
}
