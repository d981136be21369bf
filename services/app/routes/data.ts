import type { Request, RequestHandler, Response } from 'express';
import { preferredType } from '../../shared/http/preferred-type.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import type { Cache, Found, Source } from '../cache/cache.ts';
import type { Entry } from '../cache/cached-entry.ts';
import { DATA } from '../cache/origin.ts';

const KEY = /^[\w-]{1,64}$/;

/**
 * Tells how the caches handled the request, the one nearest to the origin first.
 * @see https://www.rfc-editor.org/rfc/rfc9211 The Cache-Status HTTP Response Header Field
 */
const CACHE_STATUS: Record<Source, string> = {
  local: 'local; hit',
  redis: 'redis; hit, local; fwd=miss',
  load: 'redis; fwd=miss; collapsed, local; fwd=miss',
  origin: 'redis; fwd=miss; stored, local; fwd=miss',
};

const BYPASS = 'redis; fwd=bypass, local; fwd=bypass';

export const typeFor = preferredType('text', 'json');

/** `GET /data` and `GET /data/:key`: from the cache, otherwise from the origin (cache-aside). */
export function getData(cache: Cache): RequestHandler {
  return async (req, res) => {
    const name = nameOf(req);
    if (name === undefined) sendNotFound(res);
    else sendData(req, res, await cache.get(name, req.deadline.signal));
  };
}

/** `DELETE /data` and `DELETE /data/:key`: invalidates the entry on all instances. */
export function invalidateData(cache: Cache): RequestHandler {
  return async (req, res) => {
    const name = nameOf(req);
    if (name !== undefined) await cache.invalidate(name);
    res.status(204).end();
  };
}

/** The cache name of a request; `undefined` if its key cannot exist. */
export function nameOf(req: Request): string | undefined {
  const { key } = req.params;
  if (key === undefined) return DATA;
  return KEY.test(String(key)) ? `${DATA}:${key}` : undefined;
}

function sendData(req: Request, res: Response, found: Found): void {
  const { data, madeBy, madeAt, token } = found.entry;
  req.cacheResult = found.result;
  res.vary('Accept').set({ ...dataHeaders(found), Age: String(ageOf(found.entry)) });
  if (data === null) sendNotFound(res);
  else if (typeFor(req) === 'text') res.type('text').send(dataText(found));
  else {
    const cached = !isNew(found);
    res.json({ data, cached, madeBy, madeAt: new Date(madeAt).toISOString(), load: token });
  }
}

/** The headers that depend on the outcome of the lookup alone. */
export function dataHeaders({ result, source }: Found): Record<string, string> {
  return {
    'X-Cache': result,
    'Cache-Status': result === 'BYPASS' ? BYPASS : CACHE_STATUS[source],
    'Cache-Control': 'no-cache',
  };
}

/** The body of a reply as text. */
export function dataText(found: Found): string {
  return `${isNew(found) ? 'New' : 'Cached'} Data: ${found.entry.data}`;
}

/** Seconds since the origin was asked; not negative, although the clocks of machines differ. */
export function ageOf({ madeAt }: Entry): number {
  return Math.max(0, Math.floor((Date.now() - madeAt) / 1000));
}

function isNew({ result }: Found): boolean {
  return result === 'MISS' || result === 'BYPASS';
}

function sendNotFound(res: Response): void {
  sendProblem(res, 404, 'The catalog has item-1 to item-1000.');
}
