import { randomBytes } from 'node:crypto';
import type { SessionRedis } from './scripts.ts';

/** Has no time to live, so that it is never evicted. */
const KEY = 'secret:session';
const POLL_MS = 1000;

/**
 * Returns a function that gives the secrets in force: the first one signs, all of them verify.
 *
 * @param configured without it, all instances agree on a random secret through Redis
 */
export function sessionSecrets(
  configured: string[] | undefined,
  redis: SessionRedis,
): () => Promise<string[]> {
  if (configured) return async () => configured;
  const agreed = new AgreedSecret(redis);
  return () => agreed.secrets();
}

/**
 * A secret that the first instance makes and the others adopt. It is offered again every second: so
 * the instances agree again after Redis was emptied, and later ones verify the cookies of the others.
 */
class AgreedSecret {
  #redis: SessionRedis;
  #secrets: string[] = [];

  constructor(redis: SessionRedis) {
    this.#redis = redis;
    setInterval(() => this.#agree().catch(() => {}), POLL_MS).unref();
  }

  async secrets(): Promise<string[]> {
    if (this.#secrets.length === 0) await this.#agree();
    return this.#secrets;
  }

  async #agree(): Promise<void> {
    const own = this.#secrets[0] ?? randomBytes(32).toString('base64url');
    await this.#redis.set(KEY, own, { condition: 'NX' });
    const agreed = (await this.#redis.get(KEY)) ?? own;
    if (agreed !== this.#secrets[0]) {
      this.#secrets = [agreed, ...this.#secrets.filter((secret) => secret !== agreed)].slice(0, 2);
    }
  }
}
