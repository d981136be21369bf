import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { SessionRedis } from './scripts.ts';

/** Milliseconds between two offers of the secret, so that a Redis that was emptied has it again. */
const OFFER_MS = 250;
/** Milliseconds in which a new instance waits for the offer of another one before it makes a secret. */
const PATIENCE_MS = 2 * OFFER_MS;

/**
 * Returns a function that gives the secrets in force: the first one signs, all of them verify. It
 * rejects while Redis does not answer and there is none yet.
 *
 * @param configured without it, all instances agree on a random secret through Redis
 */
export function sessionSecrets(
  configured: string[] | undefined,
  redis: SessionRedis,
  log: Logger,
): () => Promise<string[]> {
  if (configured) return async () => configured;
  const agreed = new AgreedSecret(redis, log);
  return () => agreed.secrets();
}

/** A secret that the first instance makes and the others adopt. All of them offer it again. */
class AgreedSecret {
  #redis: SessionRedis;
  #log: Logger;
  #secrets: string[] = [];
  #joining: Promise<void> | undefined;

  constructor(redis: SessionRedis, log: Logger) {
    this.#redis = redis;
    this.#log = log;
    const offer = () => void this.#offerOrJoin().catch(() => {}); // requests that fail log an outage
    setInterval(offer, OFFER_MS).unref();
    redis.on('ready', offer);
  }

  async secrets(): Promise<string[]> {
    if (this.#secrets.length === 0) await this.#offerOrJoin();
    return this.#secrets;
  }

  #offerOrJoin(): Promise<void> {
    const [own] = this.#secrets;
    if (own !== undefined) return this.#offer(own);
    this.#joining ??= this.#join().finally(() => {
      this.#joining = undefined;
    });
    return this.#joining;
  }

  /** Redis may just have been emptied, so another instance that has a secret comes first. */
  async #join(): Promise<void> {
    await this.#offer('');
    if (this.#secrets.length > 0) return;
    await delay(PATIENCE_MS);
    await this.#offer(randomBytes(32).toString('base64url'));
  }

  async #offer(own: string): Promise<void> {
    const { agreed, wasCorrupt } = await this.#redis.agreeOnSecret(own);
    if (wasCorrupt) this.#log.warn('the corrupt secret in Redis is replaced');
    if (agreed === '' || agreed === this.#secrets[0]) return;
    const before = this.#secrets.filter((secret) => secret !== agreed);
    this.#secrets = [agreed, ...before].slice(0, 2);
  }
}
