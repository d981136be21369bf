import type { RequestHandler } from 'express';

declare global {
  namespace Express {
    interface Request {
      /** Aborts when nobody waits for the reply any more, or it would come too late. */
      deadline: AbortSignal;
    }
  }
}

/** The reply would come too late. */
export class DeadlineExceeded extends Error {
  override name = 'DeadlineExceeded';
}

/**
 * Ends each request within `ms` milliseconds: with the reply, or else with 503. It is shorter than
 * nginx waits, so that a slow route is not taken for an instance that hangs.
 */
export function deadline(ms: number): RequestHandler {
  return (req, res, next) => {
    const controller = new AbortController();
    req.deadline = controller.signal;
    const timer = setTimeout(() => {
      const late = new DeadlineExceeded(`no reply within ${ms} ms`);
      controller.abort(late);
      next(late);
    }, ms);
    res.once('close', () => {
      clearTimeout(timer);
      if (!res.writableEnded) controller.abort(new Error('the client has gone'));
    });
    next();
  };
}
