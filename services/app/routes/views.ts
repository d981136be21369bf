import { hash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { preferredType } from '../../shared/http/preferred-type.ts';
import type { SessionState } from '../../shared/session/state.ts';

const typeFor = preferredType('text', 'json');

/** `GET /`: counts one view of the visitor's session. `HEAD` counts none and starts no session. */
export function countView(state: SessionState, instance: { name: string }): RequestHandler {
  return async (req, res) => {
    const isHead = req.method === 'HEAD';
    const views = isHead ? (await state.read(req)).views : await state.countView(req);
    sendViews(req, res, { views, instance: instance.name, sessionId: req.sessionID });
  };
}

/** Answers with the number of views: as text, or as JSON together with the instance. */
function sendViews(
  req: Request,
  res: Response,
  { views, instance, sessionId }: { views: number; instance: string; sessionId: string },
): void {
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Vary', 'Accept');
  if (typeFor(req) === 'json') {
    // A hash tells sessions apart without revealing their ids.
    const session = hash('sha256', sessionId).slice(0, 8);
    return void res.json({ views, instance, session });
  }
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.end(`Views: ${views}`); // res.send would first compare what the client already has
}
