import type { RequestHandler } from 'express';
import { sendProblem } from './problem.ts';

/** `Purpose` and `X-Purpose` are of older versions of Chrome and Safari, `X-Moz` is of Firefox. */
const HEADERS = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'];

/**
 * Refuses a request that a browser sends before its user asks for it (prefetch, prerender). Browsers
 * discard an error and send the request again when the user follows the link.
 * @see https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Purpose
 */
export const noSpeculation: RequestHandler = (req, res, next) => {
  const isSpeculative = HEADERS.some(
    (name) => req.headers[name] && /prefetch|prerender|preview/.test(`${req.headers[name]}`),
  );
  if (isSpeculative) sendProblem(res, 503, 'This is not sent before the user asks for it.');
  else next();
};
