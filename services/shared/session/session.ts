import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { Request, RequestHandler } from 'express';
import session, { type Session, type SessionData } from 'express-session';
import { verifiedCookies } from './cookies.ts';
import { TAG_LENGTH } from './keys.ts';
import { type Renewal, renewalTime } from './renewal.ts';
import { SessionEnded, type SessionStore, VERSION } from './store.ts';

declare module 'express-session' {
  interface SessionData {
    version: number;
    /** When the session was first stored, in milliseconds since 1970. */
    startedAt: number;
    /** Who is logged in. */
    name?: string;
    /** When they logged in (ISO 8601). */
    since?: string;
    /** When the session was last renewed, in milliseconds since 1970. */
    renewedAt?: number;
  }
}

declare global {
  namespace Express {
    interface Request {
      /** The id in a correctly signed cookie whose session no longer exists. */
      formerSessionID?: string;
      idempotencyKey?: () => string | undefined;
    }
  }
}

/** Where sessions are stored, and how their cookie is named and signed. */
export interface SessionOptions {
  cookieName: string;
  store: SessionStore;
  /** The secrets in force: the first one signs, all of them verify. */
  secrets: () => Promise<string[]>;
  /** Needed for users, and for cookies that outlive the browser. */
  renewal?: Renewal;
}

/** Sessions that all instances share. A visitor gets a cookie when there is something to store. */
export function sessions(options: SessionOptions): RequestHandler {
  const { cookieName, store, secrets, renewal } = options;
  let signedWith: string[] | undefined;
  let handle: RequestHandler;
  return async (req, res, next) => {
    const secret = await secrets();
    if (secret !== signedWith) {
      signedWith = secret;
      handle = session({
        name: cookieName,
        store,
        secret,
        genid,
        resave: false,
        saveUninitialized: false,
        cookie: { httpOnly: true, sameSite: 'lax', secure: isOnlySecure(cookieName) || 'auto' },
      });
    }
    const own = await ownCookie(req, secret);
    // express-session takes the first cookie of its name.
    if (own !== undefined) req.headers.cookie = `${own}; ${req.headers.cookie}`;
    handle(req, res, (err?: unknown) => {
      if (err || !renewal) return next(err);
      void renewIfDue(req, renewal).then(() => next());
    });
  };

  /** The cookie with a valid signature; of several, the first one whose session is stored. */
  async function ownCookie(
    { headers: { cookie = '' } }: Request,
    secret: string[],
  ): Promise<string | undefined> {
    const verified = verifiedCookies(cookie, cookieName, secret);
    const [first, ...others] = verified.values();
    if (others.length === 0) return first;
    for (const [id, pair] of verified) {
      if (await promisify(store.get).call(store, id)) return pair;
    }
    return first;
  }
}

/**
 * Browsers refuse a cookie with such a name unless it is `Secure`, so it is sent over TLS only.
 * @see https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
 */
function isOnlySecure(cookieName: string): boolean {
  return /^__(Host|Secure)-/i.test(cookieName);
}

/**
 * Renews a session that is due. express-session sends the cookie again, because the session changed.
 * A failure is no reason to refuse the request: the next one tries again.
 */
async function renewIfDue(req: Request, { ttlSeconds, renew }: Renewal): Promise<void> {
  const { session, sessionID, headers } = req;
  // The reply to an upgrade carries no cookie.
  if (headers.upgrade || Date.now() < renewalTime(session, ttlSeconds)) return;
  try {
    if (session.name !== undefined) await renew(session.name, sessionID);
    session.renewedAt = Date.now();
    await saveSession(req.session);
  } catch {}
}

/**
 * Makes an id of 192 random bits, or of 144 new ones after the tag of the session before.
 * express-session asks for one if the cookie names no session.
 */
function genid(req: Request): string {
  const former = req.sessionID as string | undefined;
  if (former) req.formerSessionID = former;
  const id = randomBytes(24).toString('base64url');
  return former ? former.slice(0, TAG_LENGTH) + id.slice(TAG_LENGTH) : id;
}

/** Stores a session as it is now. */
export const saveSession = promisify((it: Session, done: (err?: unknown) => void) => it.save(done));

// A session is written when it starts or is replaced; its state (state.ts) is changed beside it.
// These functions resolve when the change is stored, so that no reply comes before.

/** Tells whether the session of a request was stored before. */
export function isStored(req: Request): boolean {
  return req.session.startedAt !== undefined;
}

/**
 * Rejects a request that was sent with the cookie of a session that a login has just replaced. The
 * reply must not set another cookie, nor claim that it changed the session that goes on.
 *
 * @throws {SessionEnded}
 */
export async function assertNotReplaced(req: Request): Promise<void> {
  const id = req.formerSessionID;
  if (id !== undefined && (await storeOf(req).wasReplaced(id))) throw new SessionEnded();
}

/** Stores the new session of a request. */
export async function startSession(req: Request, data: Partial<SessionData> = {}): Promise<void> {
  await assertNotReplaced(req);
  Object.assign(req.session, { version: VERSION, startedAt: Date.now() }, data);
  await saveSession(req.session);
}

/**
 * Gives the visitor a session with another id, the same state and `data`; the old session ends. So a
 * session id that an attacker planted is worthless after the login.
 *
 * @param maxAgeMs milliseconds for which a browser keeps the cookie; by default, until it is closed
 * @see https://owasp.org/www-community/attacks/Session_fixation
 */
export async function replaceSession(
  req: Request,
  data: Partial<SessionData>,
  maxAgeMs?: number,
): Promise<void> {
  const wasStored = isStored(req);
  // A session that is gone may have been replaced by this very request, on an instance that died.
  const oldId = wasStored ? req.sessionID : req.formerSessionID;
  const store = storeOf(req);
  const { cookie: _, ...kept } = req.session;
  if (wasStored) store.generate(req);
  if (maxAgeMs !== undefined) req.session.cookie.maxAge = maxAgeMs;
  if (oldId === undefined) return startSession(req, data);
  Object.assign(req.session, { version: VERSION, startedAt: Date.now() }, kept, data);
  const newId = await store.replace(oldId, req.sessionID, req.session, req.idempotencyKey?.());
  if (newId === req.sessionID) return;
  if (newId !== undefined) await followReplacement(req, newId);
  else if (wasStored) throw new SessionEnded();
  else await startSession(req, data);
}

/**
 * Ends the session of a request, if it has one, with all its state.
 *
 * @throws {SessionEnded} if the state lives on, because a login has just replaced the session
 */
export async function endSession(req: Request): Promise<void> {
  if (!isStored(req)) {
    await assertNotReplaced(req);
    const { formerSessionID: id, sessionStore: store } = req;
    if (id !== undefined) await promisify(store.destroy).call(store, id);
    return;
  }
  await promisify(req.session.destroy).call(req.session);
  if (await storeOf(req).wasReplaced(req.sessionID)) throw new SessionEnded();
}

/** Makes the session that the same request has stored before that of the request. */
async function followReplacement(req: Request, id: string): Promise<void> {
  const { sessionStore } = req;
  const stored = await promisify(sessionStore.get).call(sessionStore, id);
  if (!stored) throw new SessionEnded();
  req.sessionID = id;
  sessionStore.createSession(req, stored);
}

function storeOf(req: Request) {
  return req.sessionStore as typeof req.sessionStore & SessionStore;
}
