import { RedisStore } from 'connect-redis';
import type { SessionData, Store } from 'express-session';
import type { Logger } from 'pino';
import { ErrorReply } from 'redis';
import { z } from 'zod';
import type { Redis } from '../process/redis.ts';
import { keysOf, replacedKeyOf } from './keys.ts';

/** The version of what is stored. Sessions of another one are dropped. */
export const VERSION = 1;

/** A session as it is stored. */
const stored = z.looseObject({
  version: z.literal(VERSION),
  cookie: z.looseObject({
    originalMaxAge: z.number().nullable(),
    expires: z.iso.datetime().nullish(),
  }),
  startedAt: z.number(),
  name: z.string().optional(),
  since: z.string().optional(),
});

/** The session of a request ended, elsewhere, while the request was under way. */
export class SessionEnded extends Error {
  override name = 'SessionEnded';
  readonly status = 409;
  readonly expose = true;

  constructor() {
    super('The session ended while this request was under way. Please send it again.');
  }
}

/** A store that can put one session in the place of another. */
export interface SessionStore extends Store {
  /**
   * Stores `session` under the id `after`, with all that belonged to the session `before`, which
   * ends. Where that fails, nothing has changed.
   *
   * @param changeId where the same change was made before, its session stays the new one
   * @returns the id of the new session, or `undefined` where there is no session `before` any more
   */
  replace(
    before: string,
    after: string,
    session: Partial<SessionData>,
    changeId?: string,
  ): Promise<string | undefined>;

  /** Tells whether another session was put in the place of this one a moment ago. */
  wasReplaced(id: string): Promise<boolean>;
}

type Callback<T = void> = (err?: unknown, data?: T) => void;

/**
 * connect-redis, with three guards:
 * - a session that has ended is never stored again by a request that was slow (`SET … XX`);
 * - what cannot be a session is dropped, with a line in the log, instead of failing for ever;
 * - what is stored already is not stored twice.
 */
export class GuardedRedisStore extends RedisStore implements SessionStore {
  #redis: Redis;
  #ttlSeconds: number;
  #log: Logger;
  /** What is known to be stored of a session: its JSON, or nothing yet but that it is. */
  #known = new WeakMap<object, string | undefined>();

  constructor(redis: Redis, ttlSeconds: number, log: Logger) {
    const serializer = { parse, stringify: JSON.stringify };
    super({ client: redis, prefix: 'sess:', ttl: ttlSeconds, serializer });
    // With it express-session would send each reply in two pieces, and ask Redis once more. What
    // reads or changes the state of a session puts off its end in the same step.
    Object.assign(this, { touch: undefined });
    this.#redis = redis;
    this.#ttlSeconds = ttlSeconds;
    this.#log = log;
  }

  override get(id: string, callback?: Callback<SessionData | null>): Promise<SessionData | null> {
    return answer(this.#get(id), callback);
  }

  override createSession(...args: Parameters<Store['createSession']>) {
    const session = super.createSession(...args);
    this.#known.set(session, undefined);
    return session;
  }

  override set(id: string, session: SessionData, callback?: Callback): Promise<void> {
    return answer(this.#set(id, session), callback);
  }

  override destroy(id: string, callback?: Callback): Promise<void> {
    return answer(this.#destroy(id), callback);
  }

  async replace(
    before: string,
    after: string,
    session: Partial<SessionData>,
    changeId?: string,
  ): Promise<string | undefined> {
    const json = JSON.stringify(session);
    const target = { id: before, ttlSeconds: this.#ttlSeconds, changeId };
    const stored = await this.#redis.replaceSession(target, after, json);
    if (stored === after) this.#known.set(session, json);
    return stored ?? undefined;
  }

  async wasReplaced(id: string): Promise<boolean> {
    return (await this.#redis.exists(replacedKeyOf(id))) > 0;
  }

  async #get(id: string): Promise<SessionData | null> {
    try {
      return await super.get(id);
    } catch (err) {
      if (!isCorrupt(err)) throw err;
      this.#log.warn({ reason: err.message }, 'session dropped');
      await this.#destroy(id);
      return null;
    }
  }

  async #set(id: string, session: SessionData): Promise<void> {
    const json = JSON.stringify(session);
    if (this.#known.get(session) === json) return;
    const target = { id, ttlSeconds: this.#ttlSeconds };
    const stored = await this.#redis.storeSession(target, json, !this.#known.has(session));
    if (!stored) throw new SessionEnded();
    this.#known.set(session, json);
  }

  async #destroy(id: string): Promise<void> {
    await this.#redis.del(keysOf(id));
  }
}

/** Tells whether something that is stored can be a session. */
export function canBeSession(json: string): boolean {
  try {
    parse(json);
    return true;
  } catch {
    return false;
  }
}

/** What is stored cannot be a session. The message does not repeat it. */
class CorruptSession extends Error {}

function parse(json: string): SessionData {
  try {
    return stored.parse(JSON.parse(json)) as unknown as SessionData;
  } catch (err) {
    const issue = err instanceof z.ZodError && err.issues[0];
    const reason = issue ? `${issue.path.join('.')}: ${issue.message}` : 'no JSON';
    throw new CorruptSession(`not a session of version ${VERSION} (${reason})`);
  }
}

function isCorrupt(err: unknown): err is Error {
  if (err instanceof ErrorReply) return err.message.startsWith('WRONGTYPE');
  return err instanceof CorruptSession;
}

/** Gives a result to whoever wants it by callback, as express-session does. */
function answer<T>(work: Promise<T>, callback?: Callback<T>): Promise<T> {
  if (callback) work.then((data) => callback(null, data), callback);
  return work;
}
