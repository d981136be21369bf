import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import type { KnownVisitors } from '../../shared/known-visitors.ts';
import { preferredType } from '../../shared/preferred-type.ts';
import type { SessionState } from '../../shared/session-state.ts';

/** What a visitor sees of the shared state. */
interface Seen {
  views: number;
  instance: string;
  /** Tells sessions apart without giving them away: 8 hexadecimal digits of a hash of the id. */
  session: string;
}

const typeFor = preferredType('text', 'json', 'html');

/** `GET /` of a visitor who is known: counts one view, and needs no more of the session than its id. */
export function countAgain(
  state: SessionState,
  visitors: KnownVisitors,
  instance: string,
): RequestHandler {
  return async (req, res, next) => {
    const visitor = await visitors.find(req);
    const views = visitor && (await state.countViewOf(visitor, req));
    if (visitor && views !== undefined) show(req, res, instance, visitor.id, views);
    else next();
  };
}

/** `GET /`: counts one view of the visitor's session and says which instance counted it. */
export function countViews(state: SessionState, instance: string): RequestHandler {
  return async (req, res) => {
    const views = await state.countView(req);
    show(req, res, instance, req.sessionID, views);
  };
}

function show(req: Request, res: Response, instance: string, id: string, views: number): void {
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Vary', 'Accept');
  const kind = typeFor(req);
  if (kind === 'text') {
    res.setHeader('Content-Type', 'text/plain; charset=utf-8');
    res.end(`Views: ${views}`); // not by res.send, which would look for what the client has already
    return;
  }
  const session = createHash('sha256').update(id).digest('hex').slice(0, 8);
  const seen: Seen = { views, instance, session };
  if (kind === 'json') res.json(seen);
  else res.type('html').send(page(seen));
}

function page({ views, instance, session }: Seen): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Views: ${views}</title>
  </head>
  <body>
    <h1>Views: ${views}</h1>
    <p>Answered by <strong>${instance}</strong>, for session <code>${session}</code>.</p>
    <p>Reload: the number goes on, the instance changes. The number is in Redis, where all instances see it.</p>
  </body>
</html>
`;
}
