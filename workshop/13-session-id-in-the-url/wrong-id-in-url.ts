// The wrong way: the unchanged application, but with the session id in the URL.
import type { RequestHandler } from 'express';
import { createApp } from '../../services/app/app.ts';
import { readConfig } from '../../services/app/config.ts';
import { createExpress } from '../../services/shared/http/express.ts';
import { runService } from '../../services/shared/process/service.ts';

/** The default of browsers until about 2020: other sites get the whole URL of a page. */
const REFERRER_POLICY = 'no-referrer-when-downgrade';

await runService(readConfig, (context) => {
  const { SESSION_COOKIE_NAME } = context.config;
  return createExpress().use(idFromUrl(SESSION_COOKIE_NAME), idIntoUrl(), createApp(context));
});

/** Turns the signed id in `?sid=` into a cookie of the request. */
function idFromUrl(name: string): RequestHandler {
  return (req, _res, next) => {
    const { sid } = req.query;
    if (typeof sid === 'string') req.headers.cookie = `${name}=${encodeURIComponent(sid)}`;
    next();
  };
}

/** Replaces Set-Cookie with a redirect to a URL that contains the signed id. */
function idIntoUrl(): RequestHandler {
  return (_req, res, next) => {
    const { writeHead } = res;
    res.writeHead = (...args: unknown[]) => {
      const cookie = String(res.getHeader('Set-Cookie') ?? '');
      const [, sid] = /=(s%3A[^;]+)/.exec(cookie) ?? [];
      if (res.hasHeader('Referrer-Policy')) res.setHeader('Referrer-Policy', REFERRER_POLICY);
      if (sid === undefined) return Reflect.apply(writeHead, res, args);
      res.removeHeader('Set-Cookie');
      res.setHeader('Location', `/?sid=${sid}`);
      return writeHead.call(res, 303);
    };
    next();
  };
}
