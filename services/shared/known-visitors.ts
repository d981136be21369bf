import type { Request } from 'express';
import { isStored } from './session.ts';

/** A visitor whose cookie was verified, and whose session was read, by this process. */
export interface Visitor {
  id: string;
  /** The session as it is stored, once it is known. It never changes: see session.ts. */
  session?: string;
  /** When the end of the session was last put off from here, by `performance.now()`. */
  putOffAt: number;
}

/** The most visitors that are remembered. */
const MAX_VISITORS = 5000;

/**
 * Remembers whose a cookie is, so that neither its signature is computed nor its session read again
 * for each request. That the session is still there has to be asked of Redis all the same.
 */
export class KnownVisitors {
  #byCookie = new Map<string, Visitor>();

  /** The visitor with the cookie of a request. */
  find(req: Request): Visitor | undefined {
    return this.#byCookie.get(req.headers.cookie ?? '');
  }

  /** Remembers the visitor of a request whose session is stored. */
  remember(req: Request): void {
    const { cookie } = req.headers;
    if (cookie === undefined || !isStored(req)) return;
    this.#byCookie.set(cookie, { id: req.sessionID, putOffAt: -Infinity });
    if (this.#byCookie.size <= MAX_VISITORS) return;
    for (const oldest of this.#byCookie.keys()) return void this.#byCookie.delete(oldest);
  }

  forget(req: Request): void {
    this.#byCookie.delete(req.headers.cookie ?? '');
  }

  /** Forgets all of them, where signatures may count no more. */
  clear(): void {
    this.#byCookie.clear();
  }
}
