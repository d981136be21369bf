import type { Request, RequestHandler, Response } from 'express';
import { preferredType, sendText } from '../../shared/preferred-type.ts';
import { sendProblem } from '../../shared/problem.ts';
import type { Cache, Found, Source } from '../cache/cache.ts';
import { DATA } from '../cache/origin.ts';

/** What a key of the catalogue may be. */
const KEY = /^[\w-]{1,64}$/;

/**
 * Where an entry was found, for whoever looks into a reply: the cache next to the origin first.
 * @see https://www.rfc-editor.org/rfc/rfc9211 The Cache-Status HTTP Response Header Field
 */
const CACHE_STATUS: Record<Source, string> = {
  local: 'local; hit',
  redis: 'redis; hit, local; fwd=miss',
  load: 'redis; fwd=miss; collapsed, local; fwd=miss',
  origin: 'redis; fwd=miss; stored, local; fwd=miss',
};

const BYPASS = 'redis; fwd=bypass, local; fwd=bypass';

const typeFor = preferredType('text', 'json');

/** `GET /data` and `GET /data/:key`, where the answer is at hand. */
export function dataAtHand(cache: Cache): RequestHandler {
  return (req, res, next) => {
    const name = nameOf(req);
    const found = name && cache.peek(name);
    if (found) show(req, res, found);
    else next();
  };
}

/** `GET /data` and `GET /data/:key`: from the cache, or else from the origin (cache-aside). */
export function getData(cache: Cache): RequestHandler {
  return async (req, res) => {
    const name = nameOf(req);
    if (name === undefined) sendNotFound(res);
    else show(req, res, await cache.get(name, req.deadline.signal));
  };
}

/** `DELETE /data` and `DELETE /data/:key`: forgets the cached value, on all instances. */
export function forgetData(cache: Cache): RequestHandler {
  return async (req, res) => {
    const name = nameOf(req);
    if (name !== undefined) await cache.forget(name);
    res.status(204).end();
  };
}

/** The name under which the answer is cached; `undefined` for a key that there cannot be. */
function nameOf(req: Request): string | undefined {
  const { key } = req.params;
  if (key === undefined) return DATA;
  return KEY.test(String(key)) ? `${DATA}:${key}` : undefined;
}

function show(req: Request, res: Response, { entry, result, source }: Found): void {
  const { data, madeBy, madeAt, load } = entry;
  const ageMs = Math.max(0, Date.now() - madeAt); // clocks may differ between machines
  res.setHeader('X-Cache', result);
  res.setHeader('Cache-Status', result === 'BYPASS' ? BYPASS : CACHE_STATUS[source]);
  res.setHeader('Age', Math.floor(ageMs / 1000));
  res.setHeader('Cache-Control', 'no-cache');
  const isNew = result === 'MISS' || result === 'BYPASS';
  if (data === null) sendNotFound(res);
  else if (typeFor(req, res) === 'text') sendText(res, `${isNew ? 'New' : 'Cached'} Data: ${data}`);
  else res.json({ data, cached: !isNew, madeBy, madeAt: new Date(madeAt).toISOString(), load });
}

function sendNotFound(res: Response): void {
  sendProblem(res, 404, 'The catalogue has item-1 to item-1000.');
}
