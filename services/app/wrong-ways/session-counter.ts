import { isStored, saveSession, startSession } from '../session.ts';
import type { ViewCounter } from '../view-counter.ts';

declare module 'express-session' {
  interface SessionData {
    /** Only with COUNTER=session. */
    views: number;
  }
}

/**
 * COUNTER=session, the wrong way for teaching: the number is read with the session, changed here and
 * written back. Of the requests that do so at the same time, the last one to write wins.
 */
export const sessionCounter: ViewCounter = async (req) => {
  req.session.views = (req.session.views ?? 0) + 1;
  const views = req.session.views;
  await (isStored(req) ? saveSession(req) : startSession(req));
  return views;
};
