import type { Request } from 'express';

declare global {
  namespace Express {
    interface Request {
      /** The pattern of the route, if Express knows it as a regular expression only. */
      routePattern?: string;
    }
  }
}

/**
 * The pattern of the route that answers a request, such as `/cart/:item`; `undefined` if there is
 * none. It is never the path, which a client chooses.
 */
export function routeOf({ route, routePattern }: Request): string | undefined {
  return routePattern ?? (typeof route?.path === 'string' ? route.path : undefined);
}
