import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { isRedisUnavailable } from '../process/redis.ts';
import { DeadlineExceeded } from './deadline.ts';

const UNREACHABLE = 'The shared state cannot be reached now. Please try again.';
/** Milliseconds for which refusals of Redis are counted rather than logged, after one was logged. */
const QUIET_MS = 1000;
/** Seconds after which a client may ask again. */
const RETRY_AFTER = '1';

/**
 * Answers with a problem document.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457 Problem Details for HTTP APIs
 */
export function sendProblem(res: Response, status: number, detail: string): void {
  if (status === 503) res.set('Retry-After', RETRY_AFTER);
  res
    .status(status)
    .set('Cache-Control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail }));
}

/** Answers whatever no route has answered. */
export const notFound: RequestHandler = (req, res) => {
  sendProblem(res, 404, `There is no ${req.method} ${req.path} here.`);
};

/** Answers a request that failed. What went wrong goes to the log, not to the client. */
export function problems(log: Logger): ErrorRequestHandler {
  let quietUntil = 0;
  let unlogged = 0;
  const logOutage = (err: NodeJS.ErrnoException) => {
    unlogged += 1;
    if (Date.now() < quietUntil) return;
    log.warn({ requests: unlogged, reason: err.message || err.code }, 'Redis cannot serve');
    quietUntil = Date.now() + QUIET_MS;
    unlogged = 0;
  };
  return (err, req, res, _next) => {
    // A session that could not be stored is none: no second attempt to store it, and no cookie.
    Reflect.deleteProperty(req, 'session');
    // What was still under way when its deadline had passed, or its client had gone.
    if (res.writableEnded || res.closed) return;
    if (err instanceof DeadlineExceeded) {
      answer(res, 503, 'This took too long. Please try again.');
    } else if (isRedisUnavailable(err)) {
      logOutage(err);
      const full = err.message.startsWith('OOM');
      answer(res, 503, full ? 'There is no room for more state now.' : UNREACHABLE);
    } else if (err.expose || (err.status >= 400 && err.status < 500)) {
      answer(res, err.status, err.expose ? err.message : 'This request cannot be understood.');
    } else {
      const request = { method: req.method, path: req.path, requestId: res.get('X-Request-Id') };
      log.error({ ...request, err }, 'request failed');
      answer(res, 500, 'Something went wrong here; it has been logged.');
    }
  };
}

function answer(res: Response, status: number, detail: string): void {
  if (res.headersSent) res.destroy();
  else sendProblem(res, status, detail);
}
