import type { RequestHandler } from 'express';
import { sendProblem } from './problem.ts';

/** `GET /livez`: the process answers. Redis is not checked: restarting would not end its outage. */
export const live: RequestHandler = (_req, res) => {
  res.set('Cache-Control', 'no-store').type('text').send('live');
};

/** What an instance needs to be ready. */
export interface Readiness {
  /** Rejects if the instance cannot serve, for example because Redis does not answer. */
  check: () => Promise<unknown>;
  /** Aborts when the instance begins to shut down. */
  draining: AbortSignal;
  /** Resolves when the instance has started. */
  started?: Promise<unknown>;
}

/** `GET /readyz`: the instance can take requests. Its check succeeds, and it is not shutting down. */
export function ready({ check, draining, started }: Readiness): RequestHandler {
  return async (_req, res) => {
    if (draining.aborted) return sendProblem(res, 503, 'This instance is shutting down.');
    await check();
    await started;
    res.set('Cache-Control', 'no-store').type('text').send('ready');
  };
}
