import { randomBytes } from 'node:crypto';
import type { CommonConfig } from '../process/config.ts';
import type { Redis } from '../process/redis.ts';

/** Where the instances agree on a secret. It has no time to live, so that it is never evicted. */
const KEY = 'secret:session';
/** Milliseconds after which the secret is looked for again. */
const INTERVAL_MS = 1000;

/** Where the secrets in force come from: the settings, or else an agreement of all instances. */
export function secretsOf(config: CommonConfig, redis: Redis): () => Promise<string[]> {
  const configured = config.SESSION_SECRET;
  if (configured) return async () => configured;
  const shared = new SharedSecret(redis);
  return () => shared.known();
}

/**
 * A secret that all instances of one Redis share where nobody configured one: the first instance to
 * ask makes it, the others take it over. It is offered again every second, so that the instances
 * agree again after Redis was emptied, and those that come later verify the cookies of the others.
 */
class SharedSecret {
  #redis: Redis;
  #secrets: string[] = [];

  constructor(redis: Redis) {
    this.#redis = redis;
    setInterval(() => this.#agree().catch(() => {}), INTERVAL_MS).unref();
  }

  /** The secrets known so far: the first one signs, all of them verify. */
  async known(): Promise<string[]> {
    if (this.#secrets.length === 0) await this.#agree();
    return this.#secrets;
  }

  async #agree(): Promise<void> {
    const mine = this.#secrets[0] ?? randomBytes(32).toString('base64url');
    await this.#redis.set(KEY, mine, { condition: 'NX' });
    const agreed = (await this.#redis.get(KEY)) ?? mine;
    if (agreed !== this.#secrets[0]) {
      this.#secrets = [agreed, ...this.#secrets.filter((secret) => secret !== agreed)].slice(0, 2);
    }
  }
}
