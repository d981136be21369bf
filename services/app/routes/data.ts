import type { Request, RequestHandler, Response } from 'express';
import { preferredType } from '../../shared/http/preferred-type.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import { PreparedReply } from '../../shared/http/reply-headers.ts';
import type { Identity } from '../../shared/process/service.ts';
import type { Cache, Found, Source } from '../cache/cache.ts';
import type { Entry } from '../cache/entry.ts';
import { DATA } from '../cache/origin.ts';

/** What a key of the catalogue may be. */
const KEY = /^[\w-]{1,64}$/;
/** The paths that may name something; unlike `/data/:key` it decodes nothing, and so cannot fail. */
export const DATA_PATH = /^\/data(?:\/(?<key>[\w-]{1,64}))?$/;

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

/**
 * `GET /data` and `GET /data/:key`, where the answer is at hand: it is prepared once for each entry,
 * and comes before whatever else is done for a request.
 */
export function dataAtHand(cache: Cache, identity: Identity): RequestHandler {
  const prepared = new WeakMap<Entry, PreparedReply>();
  const prepare = (found: Found) => {
    const headers = {
      ...headersOf(found),
      Vary: 'Accept',
      'Content-Type': 'text/plain; charset=utf-8',
    };
    const reply = new PreparedReply(identity, headers, textOf(found));
    prepared.set(found.entry, reply);
    return reply;
  };
  return (req, res, next) => {
    const name = req.method === 'GET' && typeFor(req) === 'text' ? nameOf(req) : undefined;
    const found = name && cache.peek(name);
    if (!found || found.entry.data === null) return next();
    const reply = prepared.get(found.entry) ?? prepare(found);
    reply.send(req, res, ageOf(found.entry));
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

function show(req: Request, res: Response, found: Found): void {
  const { data, madeBy, madeAt, load } = found.entry;
  res.vary('Accept').set({ ...headersOf(found), Age: String(ageOf(found.entry)) });
  if (data === null) sendNotFound(res);
  else if (typeFor(req) === 'text') res.type('text').send(textOf(found));
  else {
    const cached = !isNew(found);
    res.json({ data, cached, madeBy, madeAt: new Date(madeAt).toISOString(), load });
  }
}

function headersOf({ result, source }: Found): Record<string, string> {
  return {
    'X-Cache': result,
    'Cache-Status': result === 'BYPASS' ? BYPASS : CACHE_STATUS[source],
    'Cache-Control': 'no-cache',
  };
}

function textOf(found: Found): string {
  return `${isNew(found) ? 'New' : 'Cached'} Data: ${found.entry.data}`;
}

function isNew({ result }: Found): boolean {
  return result === 'MISS' || result === 'BYPASS';
}

/** In seconds. Clocks may differ between machines. */
function ageOf({ madeAt }: Entry): number {
  return Math.max(0, Math.floor((Date.now() - madeAt) / 1000));
}

function sendNotFound(res: Response): void {
  sendProblem(res, 404, 'The catalogue has item-1 to item-1000.');
}
