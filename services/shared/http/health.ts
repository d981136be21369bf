import type { RequestHandler } from 'express';
import { sendProblem } from './problem.ts';

/** `GET /livez`: the process answers. Redis is not checked: restarting would not end its outage. */
export const live: RequestHandler = (_req, res) => {
  res.set('Cache-Control', 'no-store').type('text').send('live');
};

/** What an instance needs to be ready. */
export interface Readiness {
  /** Rejects if Redis does not answer. */
  ping: () => Promise<unknown>;
  /** Aborts when the instance begins to shut down. */
  draining: AbortSignal;
  /** Resolves when the instance has started. */
  started?: Promise<unknown>;
}

/** `GET /readyz`: the instance can take requests. Redis answers, and it is not shutting down. */
export function ready({ ping, draining, started }: Readiness): RequestHandler {
  return async (_req, res) => {
    if (draining.aborted) return sendProblem(res, 503, 'This instance is shutting down.');
    await ping();
    await started;
    res.set('Cache-Control', 'no-store').type('text').send('ready');
  };
}
