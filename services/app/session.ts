import { promisify } from 'node:util';
import { RedisStore } from 'connect-redis';
import type { Request, RequestHandler } from 'express';
import session, { type Store } from 'express-session';
import type { Redis } from './redis.ts';

declare module 'express-session' {
  interface SessionData {
    /** When the session was first stored, in milliseconds since 1970. */
    startedAt: number;
  }
}

/** How sessions are kept, and how the cookie that names them is called and signed. */
export interface SessionOptions {
  name: string;
  store: Store;
  /** The secrets in force now: the first one signs, all of them verify. */
  secrets: () => Promise<string[]>;
}

/** Sessions that all instances share. A visitor gets a cookie once there is something to remember. */
export function sessions({ name, store, secrets }: SessionOptions): RequestHandler {
  let signedWith: string[] | undefined;
  let handle: RequestHandler;
  return async (req, res, next) => {
    const secret = await secrets();
    if (secret !== signedWith) {
      signedWith = secret;
      handle = session({
        name,
        store,
        secret,
        resave: false,
        saveUninitialized: false,
        cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto' },
      });
    }
    handle(req, res, next);
  };
}

/** Keeps sessions in Redis, under `sess:<id>`, until nobody has used them for `ttlSeconds`. */
export function redisStore(redis: Redis, ttlSeconds: number): Store {
  const store = new RedisStore({ client: redis, prefix: 'sess:', ttl: ttlSeconds });
  // With it each reply would cost another command and go out in two pieces. Counting a view puts
  // off the end of the session in the same step.
  return Object.assign(store, { touch: undefined });
}

/** Tells whether the session of a request is one that was stored before. */
export function isStored(req: Request): boolean {
  return req.session.startedAt !== undefined;
}

/** Stores a new session. Resolves when it is stored, so that a reply never comes too early. */
export async function startSession(req: Request): Promise<void> {
  req.session.startedAt = Date.now();
  await saveSession(req);
}

/** Stores what was changed in a session. Resolves when it is stored. */
export async function saveSession(req: Request): Promise<void> {
  await promisify(req.session.save).call(req.session);
}

/** Destroys the session of a request and gives it a new, empty one, under another id. */
export async function endSession(req: Request): Promise<void> {
  await promisify(req.session.regenerate).call(req.session);
}
