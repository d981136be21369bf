import type { Request, RequestHandler } from 'express';
import { sendProblem } from './problem.ts';

/**
 * Refuses requests that another site makes a browser send (CSRF). Browsers say where a request comes
 * from; clients such as curl and k6 say nothing and pass. Following a link from another site is
 * allowed.
 */
export const sameOrigin: RequestHandler = (req, res, next) => {
  if (isForeign(req)) {
    sendProblem(res, 403, `Only a page of ${ownOrigin(req)} can send this request.`);
  } else next();
};

/**
 * `Sec-Fetch-Site` settles it: browsers compare what they see themselves, and no proxy changes it.
 * They omit it for plain HTTP to another machine, and old ones always do; then `Origin` must match.
 * @see https://www.w3.org/TR/fetch-metadata/
 */
function isForeign(req: Request): boolean {
  const { origin, 'sec-fetch-site': site, 'sec-fetch-mode': mode } = req.headers;
  const isLink = req.method === 'GET' && mode === 'navigate';
  // `none`: the user has typed the address or opened a bookmark.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none' && !isLink;
  return origin !== undefined && !isSame(origin, ownOrigin(req));
}

/** This site, as its visitors address it. */
function ownOrigin({ protocol, host }: Request): string {
  return `${protocol}://${host}`;
}

/**
 * Compares scheme, host and port; the ports 80 and 443 may be left out. `null`, the origin of a
 * sandboxed page, is the same as no other.
 */
function isSame(...origins: [string, string]): boolean {
  const [one, other] = origins.map((origin) => URL.parse(origin)?.origin);
  return one !== undefined && one === other;
}
