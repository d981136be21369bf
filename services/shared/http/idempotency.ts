import { hash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { sendProblem } from './problem.ts';

declare global {
  namespace Express {
    interface Request {
      /**
       * Returns the key under which this request changes state at most once, however often it
       * arrives; `undefined` if it cannot arrive twice. Set by `idempotency`.
       *
       * @throws {RequestExpired} if the request is too old to tell whether it was applied
       */
      idempotencyKey?: () => string | undefined;
    }
  }
}

/** Milliseconds: longer than nginx retries, and much shorter than applied keys are kept in Redis. */
export const MAX_AGE_MS = 10_000;

/** Milliseconds between two log lines about the clocks. */
const LOG_INTERVAL_MS = 10_000;

/** The keys that a client may choose, with or without quotes. */
const CLIENT_KEY = /^"?([\w-]{8,64})"?$/;
const REQUEST_ID = /^[\w-]{8,64}$/;
/** When nginx received the request, in seconds since 1970. */
const REQUEST_START = /^t=(\d+\.\d+)$/;

/** The request waited so long, in a paused process for example, that nginx has repeated it. */
class RequestExpired extends Error {
  override name = 'RequestExpired';
  readonly status = 503;
  readonly expose = true;

  constructor() {
    super('This request is too old. Please send it again.');
  }
}

/**
 * Sets the idempotency key of a request. nginx sends the same `X-Request-Id` and `X-Request-Start`
 * with every try. A client that retries by itself sends an `Idempotency-Key`, which is valid for one
 * session, method, path and body. The key is worked out when it is used, so this middleware may
 * stand before or after the `jsonBody`.
 *
 * @param enabled if false, a request that arrives twice is applied twice (for teaching)
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export function idempotency(enabled: boolean, log: Logger): RequestHandler {
  const warnOfClocks = clockWarning(log);
  return (req, res, next) => {
    const header = req.get('Idempotency-Key');
    const clientKey = header && CLIENT_KEY.exec(header)?.[1];
    if (header !== undefined && !clientKey) {
      return sendProblem(res, 400, 'Idempotency-Key: must be 8 to 64 letters, digits, _ or -');
    }
    const startedAt = startOf(req);
    req.idempotencyKey = () => {
      const ageMs = Date.now() - startedAt;
      if (Math.abs(ageMs) > MAX_AGE_MS) warnOfClocks(ageMs);
      if (ageMs > MAX_AGE_MS) throw new RequestExpired();
      if (!enabled) return undefined;
      return clientKey ? digest(req, clientKey) : requestId(req);
    };
    next();
  };
}

/** Each refused change would be a line, so it logs the first one of ten seconds. */
function clockWarning(log: Logger): (ageMs: number) => void {
  let quietUntil = -Infinity;
  return (ageMs) => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + LOG_INTERVAL_MS;
    const ageSeconds = Math.round(ageMs / 1000);
    const what =
      ageMs > 0
        ? `refused a change that nginx received ${ageSeconds} s ago; if this process was not paused, the clock of nginx is behind`
        : `the clock of nginx is ${-ageSeconds} s ahead, so a change that is repeated late may be applied twice`;
    log.warn(
      { ageSeconds },
      `${what}: synchronize the clocks of both machines, for example by NTP`,
    );
  };
}

/** In milliseconds since 1970. */
function startOf({ headers }: Request): number {
  const [, seconds] = REQUEST_START.exec(String(headers['x-request-start'])) ?? [];
  return seconds ? Number(seconds) * 1000 : Date.now();
}

/** Only nginx repeats requests, and it gives each request an id. */
function requestId({ headers }: Request): string | undefined {
  const id = headers['x-request-id'];
  return typeof id === 'string' && REQUEST_ID.test(id) ? id : undefined;
}

/** Hashed, so that paths and bodies of any length give keys of one length. */
function digest({ method, path, body }: Request, clientKey: string): string {
  return hash('sha256', JSON.stringify([method, path, clientKey, body]), 'base64url');
}
