import type { RequestHandler } from 'express';
import { failRequest } from './problem.ts';

declare global {
  namespace Express {
    interface Request {
      deadline: Deadline;
    }
  }
}

/** How long a client waits for a reply. */
class Deadline {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  /** Aborts when the reply would come too late, or the client is gone. */
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

/**
 * Answers a request with 503 if its handler has not answered within `ms` milliseconds. It is shorter
 * than nginx's timeout, so that nginx does not take a slow route for an instance that hangs.
 *
 * The reply does not go through `next`: the handler is still running and calls `next` itself later.
 */
export function deadline(ms: number): RequestHandler {
  return (req, res, next) => {
    req.deadline = new Deadline();
    const timer = setTimeout(() => {
      req.deadline.abort(new Error(`no reply within ${ms} ms`));
      if (!res.writableEnded) failRequest(req, res, 503, 'This took too long. Please try again.');
    }, ms);
    res.once('close', () => {
      clearTimeout(timer);
      if (!res.writableEnded) req.deadline.abort(new Error('the client is gone'));
    });
    next();
  };
}
