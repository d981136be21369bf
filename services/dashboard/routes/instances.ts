import type { RequestHandler } from 'express';
import type { Monitor } from '../monitor.ts';

/** `GET /dashboard/instances`: the whole state now. The first request waits until there is some. */
export function instances(monitor: Monitor): RequestHandler {
  return async (_req, res) => {
    await monitor.watch();
    res.set('Cache-Control', 'no-store').json(monitor.view());
  };
}
