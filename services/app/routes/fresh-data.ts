// Replies that are prepared once. It is optional: without this file and its line in app.ts, getData
// answers all the same, at 1.5 times the cost.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { requestIdOf, securityHeaders } from '../../shared/http/reply-headers.ts';
import type { Cache, Found } from '../cache/cache.ts';
import type { Entry } from '../cache/cached-entry.ts';
import { ageOf, dataHeaders, dataText, nameOf, typeFor } from './data.ts';

/** Unlike `/data/:key` it decodes nothing, so it cannot fail before the headers are set. */
export const DATA_PATH = /^\/data(?:\/(?<key>[\w-]{1,64}))?$/;

/**
 * `GET /data` and `GET /data/:key`: a fresh hit as text, with a reply that is prepared once for each
 * entry. It leaves every other request to `getData`.
 */
export function getFreshData(cache: Cache, instance: { name: string }): RequestHandler {
  const prepared = new WeakMap<Entry, PreparedReply>();
  const prepare = (found: Found) => {
    const reply = new PreparedReply(instance, found);
    prepared.set(found.entry, reply);
    return reply;
  };
  return (req, res, next) => {
    const name = req.method === 'GET' && typeFor(req) === 'text' ? nameOf(req) : undefined;
    const found = name && cache.getFresh(name);
    if (!found || found.entry.data === null) return next();
    req.cacheResult = found.result;
    req.routePattern = req.params.key === undefined ? '/data' : '/data/:key';
    (prepared.get(found.entry) ?? prepare(found)).send(req, res, ageOf(found.entry));
  };
}

/** A reply whose headers are made once, except for three. */
class PreparedReply {
  #instance: { name: string };
  #body: string;
  /** Names and values alternate. Node copies them in writeHead, so the array can be reused. */
  #headers: string[];

  constructor(instance: { name: string }, found: Found) {
    this.#instance = instance;
    this.#body = dataText(found);
    const constant = Object.entries({
      ...Object.fromEntries(securityHeaders),
      ...dataHeaders(found),
      Vary: 'Accept',
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(this.#body)),
    });
    this.#headers = ['X-Request-Id', '', 'X-Instance', '', 'Age', '', ...constant.flat()];
  }

  send(req: IncomingMessage, res: ServerResponse, age: number): void {
    this.#headers[1] = requestIdOf(req);
    this.#headers[3] = this.#instance.name;
    this.#headers[5] = String(age);
    res.writeHead(200, this.#headers).end(this.#body);
  }
}
