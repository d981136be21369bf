import type { Application, ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';

// `import` would read all of the module, and so load Node's WebSocket client: 3 MB and 70 ms.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

/** Seconds after which a client may repeat a request that was answered with this status. */
const RETRY_AFTER: Record<number, string> = { 429: '60', 503: '1' };

/**
 * Answers with a problem document.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457 Problem Details for HTTP APIs
 */
export function sendProblem(res: Response, status: number, detail: string): void {
  const retryAfter = RETRY_AFTER[status];
  if (retryAfter && !res.hasHeader('Retry-After')) res.set('Retry-After', retryAfter);
  res
    .status(status)
    .set('Cache-Control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail }));
}

/** Ends a request that failed: with a problem document, or by closing a reply that has begun. */
export function failRequest(req: Request, res: Response, status: number, detail: string): void {
  // express-session must neither store the session of a failed request nor send its cookie.
  Reflect.deleteProperty(req, 'session');
  if (res.headersSent) res.destroy();
  else sendProblem(res, status, detail);
}

/** Answers every request that no route has answered: with 405 if its path has other methods. */
export const notFound: RequestHandler = (req, res) => {
  const methods = methodsOf(req);
  if (methods.size === 0 || methods.has(req.method)) {
    return sendProblem(res, 404, `There is no ${req.method} ${req.path} here.`);
  }
  const allowed = [...methods].sort().join(', ');
  res.set('Allow', allowed);
  sendProblem(res, 405, `The methods of this path are ${allowed}.`);
};

/** A path of an application, with its handlers if it is a route; Express's types omit `match`. */
type Layer = Application['router']['stack'][number] & { match(path: string): boolean };

/** The methods of all routes that match the path of a request. */
function methodsOf({ app, path }: Request): Set<string> {
  const layers = app.router.stack as Layer[];
  const handlers = layers.flatMap((layer) => (layer.match(path) && layer.route?.stack) || []);
  const methods = new Set(handlers.map(({ method }) => method.toUpperCase()));
  if (methods.has('GET')) methods.add('HEAD');
  return methods;
}

/**
 * Answers a request whose handler failed. Errors say how, as in http-errors: `status`, and `expose`
 * if the client may see the message. Any other error is logged and answered with 500.
 */
export function problemHandler(log: Logger): ErrorRequestHandler {
  return (err, req, res, _next) => {
    if (res.writableEnded || res.closed) return; // the deadline has passed or the client is gone
    const { status, expose, message } = err;
    if (expose) return failRequest(req, res, status, message);
    if (status >= 400 && status < 500) {
      return failRequest(req, res, status, 'This request cannot be understood.');
    }
    const { method, path } = req;
    log.error({ method, path, requestId: res.get('X-Request-Id'), err }, 'request failed');
    failRequest(req, res, 500, 'Something went wrong here; it has been logged.');
  };
}
