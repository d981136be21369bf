import { parseCookie } from 'cookie';
import { unsign } from 'cookie-signature';
import type { Request } from 'express';

/** A visitor with a correctly signed cookie. Only Redis knows whether the session still exists. */
export interface Visitor {
  id: string;
  /** The session as stored, once it is known. It changes only together with its id. */
  session?: string;
  /** When this process last extended the TTL of the session, by `performance.now()`. */
  touchedAt: number;
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
    const id = this.#verify(cookie, secrets);
    if (id === undefined) return undefined;
    const visitor = { id, touchedAt: -Infinity };
    if (cookie.length > MAX_LENGTH) return visitor;
    this.#byHeader.set(cookie, visitor);
    if (this.#byHeader.size > MAX_VISITORS) this.#dropOldest();
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

  #dropOldest(): void {
    for (const oldest of this.#byHeader.keys()) return void this.#byHeader.delete(oldest);
  }
}
