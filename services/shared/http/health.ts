import type { RequestHandler } from 'express';
import type { Redis } from '../process/redis.ts';
import { sendProblem } from './problem.ts';

/** `GET /livez`: the process answers. It looks at nothing else: an outage of Redis is no reason to restart it. */
export const live: RequestHandler = (_req, res) => {
  res.set('Cache-Control', 'no-store').type('text').send('live');
};

/**
 * `GET /readyz`: the instance takes requests, for Redis answers it and it is not about to end.
 *
 * @param started what it has to have done besides, once
 */
export function ready(
  redis: Redis,
  draining: AbortSignal,
  started: Promise<unknown> = Promise.resolve(),
): RequestHandler {
  return async (_req, res) => {
    if (draining.aborted) return sendProblem(res, 503, 'This instance is about to end.');
    await redis.ping();
    await started;
    res.set('Cache-Control', 'no-store').type('text').send('ready');
  };
}
