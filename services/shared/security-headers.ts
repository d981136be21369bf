import { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** Security headers that hold on plain HTTP too, as in a classroom; TLS ends before nginx. */
const setHeaders = helmet({
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

/** The same for every reply, so helmet is asked once. */
const HEADERS = headersOf(setHeaders);

export const securityHeaders: RequestHandler = (_req, res, next) => {
  for (const [name, value] of HEADERS) res.setHeader(name, value);
  next();
};

function headersOf(set: typeof setHeaders): [name: string, value: string][] {
  const req = { method: 'GET' } as Parameters<typeof setHeaders>[0];
  const res = new ServerResponse(req);
  set(req, res, () => {});
  return Object.entries(res.getHeaders()).map(([name, value]) => [name, String(value)]);
}
