import type { RequestHandler } from 'express';
import { sendProblem } from './problem.ts';

/**
 * Refuses what another site has a browser send. A browser says where a request comes from; curl and
 * k6 say nothing and are let through. A link from another site may be followed, that is the web.
 * @see https://www.w3.org/TR/fetch-metadata/
 */
export const sameOrigin: RequestHandler = (req, res, next) => {
  const { origin, 'sec-fetch-site': site, 'sec-fetch-mode': mode } = req.headers;
  const followed = req.method === 'GET' && mode === 'navigate';
  const foreign =
    (site === 'cross-site' && !followed) || (origin !== undefined && hostOf(origin) !== req.host);
  if (foreign) sendProblem(res, 403, 'Another site may not do this.');
  else next();
};

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
