import type { Request } from 'express';
import { verifiedCookies } from './cookies.ts';

/** A visitor with a correctly signed cookie. Only Redis knows whether the session still exists. */
export interface Visitor {
  id: string;
  /** The session as stored, once it is known. It changes only together with its id. */
  session?: string;
  /** When the renewal of the session is due, in milliseconds since 1970. */
  renewAt: number;
  /** When this process last maintained the session (`Target.maintain`), by `performance.now()`. */
  maintainedAt: number;
}

const MAX_VISITORS = 5000;
/** Characters of a Cookie header that is worth remembering. */
const MAX_LENGTH = 1000;

/** Verifies session cookies as express-session does, but each signature only once. */
export class VerifiedCookies {
  #name: string;
  #secrets: () => Promise<string[]>;
  #verifiedWith: string[] = [];
  #byHeader = new Map<string, Visitor>();

  /** @param secrets the secrets in force: all of them verify */
  constructor(name: string, secrets: () => Promise<string[]>) {
    this.#name = name;
    this.#secrets = secrets;
  }

  /** The visitor who sent a request; `undefined` without a valid cookie. */
  async find({ headers: { cookie } }: Request): Promise<Visitor | undefined> {
    if (cookie === undefined) return undefined;
    const secrets = await this.#secrets();
    if (secrets !== this.#verifiedWith) {
      this.#verifiedWith = secrets;
      this.#byHeader.clear();
    }
    const known = this.#byHeader.get(cookie);
    if (known) return known;
    // If the session of the first one has ended, the middleware tries the others.
    const [id] = verifiedCookies(cookie, this.#name, secrets).keys();
    if (id === undefined) return undefined;
    const visitor = { id, renewAt: Infinity, maintainedAt: -Infinity };
    if (cookie.length > MAX_LENGTH) return visitor;
    this.#byHeader.set(cookie, visitor);
    if (this.#byHeader.size > MAX_VISITORS) this.#dropOldest();
    return visitor;
  }

  #dropOldest(): void {
    for (const oldest of this.#byHeader.keys()) return void this.#byHeader.delete(oldest);
  }
}
