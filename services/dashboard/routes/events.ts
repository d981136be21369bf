import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { SessionState } from '../../shared/session/state.ts';
import { participantId } from '../audience.ts';
import type { EventStream, Subscriber } from '../event-stream.ts';
import type { Monitor } from '../monitor.ts';

/** `GET /dashboard/events`: connects a page. Without Redis it connects all the same. */
export function events(
  stream: EventStream,
  monitor: Monitor,
  state: SessionState,
): [RequestHandler, ErrorRequestHandler] {
  const open = async (req: Request, res: Response, subscriber: Subscriber) => {
    if (req.method !== 'HEAD') await monitor.join(subscriber);
    if (!res.closed) stream.open(req, res, subscriber, monitor.hello(subscriber));
  };
  return [
    async (req, res) => open(req, res, await participantOf(req, state)),
    async (_err, req, res, _next) => open(req, res, null),
  ];
}

async function participantOf(req: Request, state: SessionState): Promise<Subscriber> {
  const { sessionID, session } = req;
  if (session.startedAt === undefined) return undefined;
  const { views } = await state.read(req);
  return [participantId(sessionID), '', views, session.name ?? '', 0];
}
