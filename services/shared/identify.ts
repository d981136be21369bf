import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

/** What nginx or a careful client sends; anything else is replaced. */
const REQUEST_ID = /^[\w-]{8,64}$/;

/** Says in each reply which instance answered, and under which id the request went. */
export function identify(instance: string): RequestHandler {
  return (req, res, next) => {
    const given = req.headers['x-request-id'] as string | undefined;
    res.setHeader('X-Instance', instance);
    res.setHeader('X-Request-Id', given && REQUEST_ID.test(given) ? given : randomUUID());
    next();
  };
}
