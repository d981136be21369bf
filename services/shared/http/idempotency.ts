import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { sendProblem } from './problem.ts';

declare global {
  namespace Express {
    interface Request {
      /** The id under which this request may change something once; none with IDEMPOTENCY=off. */
      changeId?: string;
    }
  }
}

/** What a client may choose, in quotes or without. */
const KEY = /^"?([\w-]{8,64})"?$/;

/**
 * Gives a request that changes something the id under which that is done once, however often the
 * request arrives. That of nginx is the same on every try. A client that tries again by itself says
 * so by an Idempotency-Key, which holds for one session and one route.
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export function changeId(dedupe: boolean): RequestHandler {
  return (req, res, next) => {
    const key = req.get('Idempotency-Key');
    const [, chosen] = (key !== undefined && KEY.exec(key)) || [];
    if (key !== undefined && chosen === undefined) {
      return sendProblem(res, 400, 'Idempotency-Key: must be 8 to 64 letters, digits, _ or -');
    }
    if (dedupe) req.changeId = chosen ? `${req.method} ${req.path} ${chosen}` : requestId(res);
    next();
  };
}

/** Makes a request with another body another change, where a client has chosen the id. */
export function tellApartByBody(req: Request): void {
  if (req.changeId === undefined || req.get('Idempotency-Key') === undefined) return;
  const digest = createHash('sha256').update(JSON.stringify(req.body)).digest('base64url');
  req.changeId = `${req.changeId} ${digest}`;
}

function requestId(res: Parameters<RequestHandler>[1]): string {
  return String(res.getHeader('X-Request-Id'));
}
