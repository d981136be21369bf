import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { StackControl } from '../stack-control.ts';

// A command takes longer than a request may. The page sees its end in `faults.control`.

export const instanceBody = z.strictObject({
  instance: z.string().regex(/^app-\d{1,2}$/, 'must be app-1, app-2 …'),
});
export const scaleBody = z.strictObject({ instances: z.int().min(1).max(12) });
/** The values are those of services/app/config.ts. */
export const switchesBody = z
  .strictObject({
    SESSION_STORE: z.enum(['redis', 'memory']),
    COUNTER: z.enum(['atomic', 'session']),
    IDEMPOTENCY: z.enum(['on', 'off']),
    CACHE: z.enum(['local', 'redis', 'off']),
    CACHE_GUARD: z.enum(['cluster', 'instance', 'off']),
  })
  .partial()
  .refine((switches) => Object.keys(switches).length > 0, 'must name a switch');

/**
 * `POST /dashboard/stack/start`, `…/replace` and `…/scale`: the commands of `npm run stack` that take
 * the value in the body.
 */
export function command(
  control: StackControl,
  name: 'start' | 'restart' | 'scale',
): RequestHandler {
  return (req, res) => {
    void control.run(name, ...Object.values(req.body).map(String));
    res.status(202).json(req.body);
  };
}

/** `PUT /dashboard/stack/switches`: changes settings, and restarts the services that read them. */
export function setSwitches(control: StackControl): RequestHandler {
  return (req, res) => {
    void control.run('set', ...Object.entries(req.body).map((setting) => setting.join('=')));
    res.status(202).json(req.body);
  };
}
