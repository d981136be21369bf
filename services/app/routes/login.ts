import type { RequestHandler } from 'express';
import { z } from 'zod';
import { trimmedText } from '../../shared/http/json-body.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import { endSession, replaceSession } from '../../shared/session/session.ts';
import type { SessionState } from '../../shared/session/state.ts';

/** The body of `POST /login`. */
export const loginBody = z.object({ name: trimmedText(40) });

/** `POST /login`: a session with another id that keeps the views and the cart. */
export const logIn: RequestHandler = async (req, res) => {
  const { name } = req.body as z.output<typeof loginBody>;
  await replaceSession(req, { name, since: new Date().toISOString() });
  res.json({ name });
};

/** `POST /logout`: ends the session with all its state. */
export function logOut(cookieName: string): RequestHandler {
  return async (req, res) => {
    await endSession(req);
    // Without `Secure`, browsers do not clear a cookie with the prefix `__Host-`.
    res.clearCookie(cookieName, { secure: req.secure }).status(204).end();
  };
}

/** `GET /me`: who is logged in, and the state of the session. */
export function whoAmI(state: SessionState): RequestHandler {
  return async (req, res) => {
    const { views, cart, ...profile } = await state.read(req);
    const { name, since } = req.session;
    if (name === undefined) {
      res.set('WWW-Authenticate', 'Cookie');
      return sendProblem(res, 401, 'You are not logged in. POST /login first.');
    }
    res.set('Cache-Control', 'no-store').json({ name, since, views, cart, ...profile });
  };
}
