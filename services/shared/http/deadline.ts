import type { Request, RequestHandler } from 'express';

declare global {
  namespace Express {
    interface Request {
      deadline: Deadline;
      /** When nginx got it, in milliseconds since 1970. */
      startedAt: number;
    }
  }
}

/** How long somebody waits for a reply. */
export class Deadline {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  /** Aborts when nobody waits for the reply any more, or it would come too late. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController(); // most requests never ask for it
    if (this.#reason) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** The reply would come too late. */
export class DeadlineExceeded extends Error {
  override name = 'DeadlineExceeded';
}

/**
 * Milliseconds after which a request may change nothing any more: half the time for which it is
 * known, in Redis, what was applied.
 */
const TOO_OLD_MS = 30_000;
/** How nginx says when a request began, in seconds since 1970: the same on every try. */
const REQUEST_START = /^t=(\d+\.\d+)$/;

/**
 * Makes sure that a request may still change something. An instance that stood still for minutes has
 * requests in its hands that nginx sent to another one long ago.
 *
 * @throws {DeadlineExceeded} where it is too old
 */
export function assertRecent(req: Request): void {
  const ageMs = Date.now() - req.startedAt;
  if (ageMs > TOO_OLD_MS) throw new DeadlineExceeded(`${ageMs} ms old`);
}

/**
 * Ends each request within `ms` milliseconds: with the reply, or else with 503. It is shorter than
 * nginx waits, so that a slow route is not taken for an instance that hangs.
 */
export function deadline(ms: number): RequestHandler {
  return (req, res, next) => {
    const [, seconds] = REQUEST_START.exec(String(req.headers['x-request-start'])) ?? [];
    req.startedAt = seconds ? Math.round(Number(seconds) * 1000) : Date.now();
    req.deadline = new Deadline();
    const timer = setTimeout(() => {
      const late = new DeadlineExceeded(`no reply within ${ms} ms`);
      req.deadline.abort(late);
      next(late);
    }, ms);
    res.once('close', () => {
      clearTimeout(timer);
      if (!res.writableEnded) req.deadline.abort(new Error('the client has gone'));
    });
    next();
  };
}
