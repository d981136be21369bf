import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { Request, RequestHandler } from 'express';
import session, { type SessionData } from 'express-session';
import { assertRecent } from '../http/deadline.ts';
import { SessionEnded, type SessionStore, VERSION } from './store.ts';

declare module 'express-session' {
  interface SessionData {
    version: number;
    /** When the session was first stored, in milliseconds since 1970. */
    startedAt: number;
    /** Who logged in, and when (ISO 8601). */
    name?: string;
    since?: string;
  }
}

declare global {
  namespace Express {
    interface Request {
      /** The id in the cookie, rightly signed, of a session that is there no more. */
      formerSessionID?: string;
    }
  }
}

/** How sessions are kept, and how the cookie that names them is called and signed. */
export interface SessionOptions {
  name: string;
  store: SessionStore;
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
        genid,
        resave: false,
        saveUninitialized: false,
        cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto' },
      });
    }
    handle(req, res, next);
  };
}

/** A new id of 192 random bits. It is made where the one in the cookie, if any, has no session. */
function genid(req: Request): string {
  if (req.sessionID) req.formerSessionID = req.sessionID;
  return randomBytes(24).toString('base64url');
}

// What is written of a session is written once, when it starts or is replaced; what many requests
// change is kept beside it (session-state.ts). Each of these resolves when it is stored, so that no
// reply says so before.

/** Tells whether the session of a request is one that was stored before. */
export function isStored(req: Request): boolean {
  return req.session.startedAt !== undefined;
}

/**
 * Makes sure that the session in the cookie was not replaced while the request was under way. The
 * visitor has got the cookie of its successor then, or is about to: a reply must not set another one,
 * nor say that something is done which is not, in the session that goes on.
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
  await promisify(req.session.save).call(req.session);
}

/**
 * Gives the visitor a session with another id and `data`, and with all that belonged to the one
 * before, which ends. So an id that somebody else may have planted is worth nothing after a login.
 * @see https://owasp.org/www-community/attacks/Session_fixation
 */
export async function replaceSession(req: Request, data: Partial<SessionData>): Promise<void> {
  const store = storeOf(req);
  const wasStored = isStored(req);
  // One that is gone may have been replaced by this very request, on an instance that died.
  const before = wasStored ? req.sessionID : req.formerSessionID;
  if (before === undefined) return startSession(req, data);

  const { cookie: _, ...kept } = req.session;
  if (wasStored) store.generate(req);
  Object.assign(req.session, { version: VERSION, startedAt: Date.now() }, kept, data);
  assertRecent(req);
  const after = await store.replace(before, req.sessionID, req.session, req.changeId);
  if (after === req.sessionID) return;
  if (after !== undefined) await loadSession(req, after);
  else if (wasStored) throw new SessionEnded();
  else await startSession(req, data);
}

function storeOf(req: Request) {
  return req.sessionStore as typeof req.sessionStore & SessionStore;
}

/** Gives the visitor a session that is stored. */
async function loadSession(req: Request, id: string): Promise<void> {
  const { sessionStore } = req;
  const stored = await promisify(sessionStore.get).call(sessionStore, id);
  if (!stored) throw new SessionEnded();
  req.sessionID = id;
  sessionStore.createSession(req, stored);
}

/** Ends the session of a request, if it has one, with all that belongs to it. */
export async function endSession(req: Request): Promise<void> {
  if (isStored(req)) await promisify(req.session.destroy).call(req.session);
  else await assertNotReplaced(req);
}
