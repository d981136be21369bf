import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import { trimmedText } from '../../shared/http/json-body.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import { limitRate, type RateLimitOptions } from '../../shared/http/rate-limit.ts';
import { endSession, replaceSession } from '../../shared/session/session.ts';
import type { SessionState } from '../../shared/session/state.ts';
import type { UserSessions } from '../../shared/user/user-sessions.ts';

/** The body of `POST /login`. */
export const loginBody = z.object({
  name: trimmedText(40),
  remember: z.boolean('must be true or false').default(false),
});

/**
 * Limits attempts to log in with one name from one address. The many visitors behind one address have
 * different names, so they do not share a limit. An attacker cannot lock out a user elsewhere.
 */
export function limitLogins(redis: RateLimitOptions['redis'], limit: number): RequestHandler {
  const of = ({ body }: Request) => (body as z.output<typeof loginBody>).name;
  const detail = 'Too many logins with this name from your network. Please try again later.';
  return limitRate({ redis, name: 'login', limit, of, detail });
}

/**
 * `POST /login`: a session with another id that keeps the views and the cart. With `remember`, its
 * cookie outlives the browser.
 */
export function logIn(users: UserSessions, ttlSeconds: number): RequestHandler {
  return async (req, res) => {
    const { name, remember } = req.body as z.output<typeof loginBody>;
    const since = new Date().toISOString();
    const maxAgeMs = remember ? ttlSeconds * 1000 : undefined;
    await replaceSession(req, { name, since, renewedAt: Date.now() }, maxAgeMs);
    await users.add(name, req.sessionID);
    res.json({ name });
  };
}

/** `POST /logout`: ends the session with all its state. */
export function logOut(users: UserSessions, cookieName: string): RequestHandler {
  return async (req, res) => {
    const { name } = req.session;
    await endSession(req);
    if (name !== undefined) await users.remove(name, req.sessionID);
    sendLoggedOut(req, res, cookieName);
  };
}

/** `DELETE /sessions`: ends all sessions of the user, the own one last. */
export function logOutEverywhere(users: UserSessions, cookieName: string): RequestHandler {
  return async (req, res) => {
    const { sessionID, formerSessionID } = req;
    const { name } = req.session;
    if (name !== undefined) await users.endOthers(name, sessionID);
    else if (!formerSessionID || !(await users.hasEndedOthers(formerSessionID))) {
      return sendLoginNeeded(res);
    }
    await endSession(req);
    if (name !== undefined) await users.remove(name, sessionID);
    sendLoggedOut(req, res, cookieName);
  };
}

/** `GET /me`: who is logged in, and the state of the session. */
export function whoAmI(state: SessionState): RequestHandler {
  return async (req, res) => {
    const { views, cart, ...profile } = await state.read(req);
    const { name, since } = req.session;
    if (name === undefined) return sendLoginNeeded(res);
    res.set('Cache-Control', 'no-store').json({ name, since, views, cart, ...profile });
  };
}

/** Without `Secure`, browsers do not clear a cookie with the prefix `__Host-`. */
function sendLoggedOut(req: Request, res: Response, cookieName: string): void {
  res.clearCookie(cookieName, { secure: req.secure }).status(204).end();
}

function sendLoginNeeded(res: Response): void {
  res.set('WWW-Authenticate', 'Cookie');
  sendProblem(res, 401, 'You are not logged in. POST /login first.');
}
