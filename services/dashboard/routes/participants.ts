import type { RequestHandler } from 'express';
import { z } from 'zod';
import { participantId } from '../audience.ts';
import type { DashboardRedis } from '../scripts.ts';

const MAX_VIEWS = 1_000_000_000;

export const viewBody = z.object({
  instance: z.string().regex(/^[\w.-]{1,64}$/, 'must be the name of an instance'),
  views: z.int().min(0).max(MAX_VIEWS),
});

/** `POST /dashboard/participants`: a page reports which instance has answered it, and its views. */
export function reportView(redis: DashboardRedis): RequestHandler {
  return async (req, res) => {
    const { instance, views } = req.body as z.output<typeof viewBody>;
    const { sessionID, session } = req;
    await redis.moveParticipant([participantId(sessionID), instance, views, session.name ?? '', 0]);
    res.status(204).end();
  };
}
