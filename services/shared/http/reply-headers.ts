import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** Accepted from nginx or a client; any other id is replaced. */
const REQUEST_ID = /^[\w-]{8,64}$/;

/** Security headers that are also right for plain HTTP, since TLS ends in front of nginx. */
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
  strictTransportSecurity: false, // set it where TLS ends: it binds the host name for months
  // Browsers reject these over plain HTTP and log an error.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  // For browsers and plug-ins that no longer exist.
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
});

/** The security headers of every reply. They are constant, so helmet runs only once. */
export const securityHeaders: readonly [name: string, value: string][] = headersOf(secure);

/**
 * Sets the headers of every reply: the instance that answered (`X-Instance`), the id of the request
 * (`X-Request-Id`) and the security headers.
 *
 * @param instance its name may still change: an instance can claim one after it has started
 */
export function replyHeaders(instance: { name: string }): RequestHandler {
  return (req, res, next) => {
    res.setHeader('X-Instance', instance.name);
    res.setHeader('X-Request-Id', requestIdOf(req));
    for (const [name, value] of securityHeaders) res.setHeader(name, value);
    // `*` would turn every reply into 304, but no reply is what the client already has.
    if (req.headers['if-none-match'] === '*') delete req.headers['if-none-match'];
    next();
  };
}

/** The id that nginx or the client sent, or a new one. */
export function requestIdOf(req: IncomingMessage): string {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

function headersOf(middleware: typeof secure): [name: string, value: string][] {
  const headers: [string, string][] = [];
  const setHeader = (name: string, value: string) => void headers.push([name, value]);
  const res = { setHeader, removeHeader() {} } as unknown as ServerResponse;
  middleware({} as IncomingMessage, res, () => {});
  return headers;
}
