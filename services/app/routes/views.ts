import type { Request, RequestHandler, Response } from 'express';
import type { Assets } from '../../dashboard/assets.ts';
import { page } from '../../dashboard/page.ts';
import { preferredType } from '../../shared/http/preferred-type.ts';
import type { Identity } from '../../shared/process/service.ts';
import type { SessionState } from '../../shared/session/state.ts';
import type { KnownVisitors } from '../fast-path/verified-cookies.ts';
import { visitorHash } from '../visitor-hash.ts';

declare global {
  namespace Express {
    interface Request {
      /** What was counted, and for which session. */
      counted?: { id: string; views: number };
    }
  }
}

/** What a visitor sees of the shared state. */
interface Seen {
  views: number;
  instance: string;
  session: string;
}

const typeFor = preferredType('text', 'json', 'html');

/**
 * `GET /` of a visitor who is known: counts one view, and needs no more of the session than its id.
 * The page shows more of it, and is left to `countViews`.
 */
export function countAgain(
  state: SessionState,
  visitors: KnownVisitors,
  identity: Identity,
): RequestHandler {
  return async (req, res, next) => {
    const visitor = typeFor(req) === 'html' ? undefined : await visitors.find(req);
    const views = visitor && (await state.countViewOf(visitor, req));
    if (visitor && views !== undefined) show(req, res, identity, visitor.id, views);
    else next();
  };
}

/** `GET /`: counts one view of the visitor's session and says which instance counted it. */
export function countViews(
  state: SessionState,
  identity: Identity,
  assets: Assets,
  roomUrl: string | undefined,
): RequestHandler {
  return async (req, res) => {
    const views = await state.countView(req);
    if (typeFor(req) !== 'html') return show(req, res, identity, req.sessionID, views);
    req.counted = { id: req.sessionID, views };
    const { name } = req.session;
    res.set({ 'Cache-Control': 'no-store', Vary: 'Accept' }).type('html');
    res.send(page({ views, instance: identity.name, name, roomUrl }, assets));
  };
}

function show(
  req: Request,
  res: Response,
  { name: instance }: Identity,
  id: string,
  views: number,
): void {
  req.counted = { id, views };
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Vary', 'Accept');
  if (typeFor(req) === 'text') {
    res.setHeader('Content-Type', 'text/plain; charset=utf-8');
    res.end(`Views: ${views}`); // not by res.send, which would look for what the client has already
    return;
  }
  const seen: Seen = { views, instance, session: visitorHash(id) };
  res.json(seen);
}
