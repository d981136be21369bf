import { randomUUID } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet from 'helmet';
import type { Identity } from '../process/service.ts';

/** What nginx or a careful client sends; anything else is replaced. */
const REQUEST_ID = /^[\w-]{8,64}$/;

/** Security headers that hold on plain HTTP too, as in a classroom; TLS ends before nginx. */
const secure = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      objectSrc: ["'none'"],
    },
  },
  // For whoever ends TLS to decide: it binds the whole host name for months.
  strictTransportSecurity: false,
  // Browsers take them over TLS alone, and complain where they come without.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  // For browsers and plug-ins that are gone.
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
});

/** What helmet says, the same for every reply: so it is asked once. */
const SECURITY = headersOf(secure);

/**
 * The headers that every reply carries: which instance answered, under which id the request went,
 * and what keeps a browser safe.
 */
export function replyHeaders(identity: Identity): RequestHandler {
  return (req, res, next) => {
    res.setHeader('X-Instance', identity.name);
    res.setHeader('X-Request-Id', requestIdOf(req));
    for (const [name, value] of SECURITY) res.setHeader(name, value);
    // Each reply is another one: none of them is what a client has already.
    if (req.headers['if-none-match'] === '*') delete req.headers['if-none-match'];
    next();
  };
}

function requestIdOf(req: IncomingMessage): string {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** A reply that is sent many times, with all its headers made once but for three. */
export class PreparedReply {
  #identity: Identity;
  #body: string;
  /** Names and values in turn, those that differ first. Node has read them when writeHead returns. */
  #headers: string[];

  /** @param headers besides those that every reply carries */
  constructor(identity: Identity, headers: Record<string, string>, body: string) {
    const own = Object.entries({
      ...Object.fromEntries(SECURITY),
      ...headers,
      'Content-Length': String(Buffer.byteLength(body)),
    });
    this.#identity = identity;
    this.#body = body;
    this.#headers = ['X-Request-Id', '', 'X-Instance', '', 'Age', '', ...own.flat()];
  }

  /** @param age of what is sent, in seconds */
  send(req: IncomingMessage, res: ServerResponse, age: number): void {
    this.#headers[1] = requestIdOf(req);
    this.#headers[3] = this.#identity.name;
    this.#headers[5] = String(age);
    res.writeHead(200, this.#headers).end(this.#body);
  }
}

function headersOf(middleware: typeof secure): [name: string, value: string][] {
  const req = new IncomingMessage(new Socket());
  const res = new ServerResponse(req);
  middleware(req, res, () => {});
  return Object.entries(res.getHeaders()).map(([name, value]) => [name, String(value)]);
}
