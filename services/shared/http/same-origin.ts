import type { RequestHandler } from 'express';
import { sendProblem } from './problem.ts';

/**
 * Refuses requests that another site makes a browser send (CSRF). Browsers say where a request comes
 * from; clients such as curl and k6 say nothing and pass. Following a link from another site is
 * allowed.
 * @see https://www.w3.org/TR/fetch-metadata/
 */
export const sameOrigin: RequestHandler = (req, res, next) => {
  const { origin, 'sec-fetch-site': site, 'sec-fetch-mode': mode } = req.headers;
  const isLink = req.method === 'GET' && mode === 'navigate';
  const isForeign =
    (site === 'cross-site' && !isLink) || (origin !== undefined && hostOf(origin) !== req.host);
  if (isForeign) sendProblem(res, 403, 'Another site may not do this.');
  else next();
};

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
