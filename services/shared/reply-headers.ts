import { randomUUID } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

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
  // For browsers and plug-ins that are gone.
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
});

/**
 * The headers that every reply carries: which instance answered, under which id the request went,
 * and what keeps a browser safe.
 */
export function replyHeaders(instance: string): RequestHandler {
  const security = headersOf(secure);
  return (req, res, next) => {
    const given = req.headers['x-request-id'];
    const isGiven = typeof given === 'string' && REQUEST_ID.test(given);
    res.setHeader('X-Instance', instance);
    res.setHeader('X-Request-Id', isGiven ? given : randomUUID());
    for (const [name, value] of security) res.setHeader(name, value);
    next();
  };
}

/** What a middleware sets, where that is the same for every reply: so it is asked once. */
function headersOf(middleware: typeof secure): [name: string, value: string][] {
  const req = new IncomingMessage(new Socket());
  const res = new ServerResponse(req);
  middleware(req, res, () => {});
  return Object.entries(res.getHeaders()).map(([name, value]) => [name, String(value)]);
}
