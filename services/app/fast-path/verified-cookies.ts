import { parseCookie } from 'cookie';
import { unsign } from 'cookie-signature';
import type { Request } from 'express';

/** A visitor whose cookie is rightly signed. Whether the session is still there only Redis knows. */
export interface Visitor {
  id: string;
  /** The session as it is stored, once it is known. It never changes: see session.ts. */
  session?: string;
  /** When the end of the session was last put off from here, by `performance.now()`. */
  putOffAt: number;
}

/** The most visitors that are remembered, and the most characters of all the cookies of one. */
const MAX_VISITORS = 5000;
const MAX_LENGTH = 1000;

/**
 * Tells whose a cookie is, as express-session does, but remembers it: so that a signature need not
 * be computed again for each request.
 */
export class KnownVisitors {
  #name: string;
  #secrets: () => Promise<string[]>;
  #signedWith: string[] = [];
  #byCookie = new Map<string, Visitor>();

  /**
   * @param name of the cookie
   * @param secrets those in force now: all of them verify
   */
  constructor(name: string, secrets: () => Promise<string[]>) {
    this.#name = name;
    this.#secrets = secrets;
  }

  /** The visitor with the cookie of a request; `undefined` where it has none, or none of ours. */
  async find({ headers: { cookie } }: Request): Promise<Visitor | undefined> {
    if (cookie === undefined) return undefined;
    const secrets = await this.#secrets();
    if (secrets !== this.#signedWith) {
      this.#signedWith = secrets;
      this.#byCookie.clear();
    }
    const known = this.#byCookie.get(cookie);
    if (known) return known;
    const id = this.#verify(cookie, secrets);
    if (id === undefined) return undefined;
    const visitor = { id, putOffAt: -Infinity };
    if (cookie.length > MAX_LENGTH) return visitor;
    this.#byCookie.set(cookie, visitor);
    if (this.#byCookie.size > MAX_VISITORS) this.#forgetOldest();
    return visitor;
  }

  /** The id in `s:<id>.<signature>`. */
  #verify(cookie: string, secrets: string[]): string | undefined {
    const value = parseCookie(cookie)[this.#name];
    if (!value?.startsWith('s:')) return undefined;
    for (const secret of secrets) {
      const id = unsign(value.slice(2), secret);
      if (id !== false) return id;
    }
    return undefined;
  }

  #forgetOldest(): void {
    for (const oldest of this.#byCookie.keys()) {
      this.#byCookie.delete(oldest);
      return;
    }
  }
}
