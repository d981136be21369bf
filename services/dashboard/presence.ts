import { hostname } from 'node:os';
import { isRedisUnavailable } from '../shared/process/redis.ts';
import type { Parts } from '../shared/process/service.ts';
import type { BeatReply, BoardRedis } from './board-scripts.ts';
import type { Beat } from './messages.ts';

/** Milliseconds between two beats. */
export const BEAT_MS = 300;
/** Milliseconds for which a name is held without a beat. Who is silent for longer counts as dead. */
export const SILENT_MS = 2000;

/** How an instance is seen by the others. */
export interface PresenceOptions extends Pick<Parts, 'identity' | 'draining' | 'atEnd' | 'log'> {
  redis: BoardRedis;
  /** Whether the instance was given its name; else it claims one. */
  isNamed: boolean;
  /** What it says with each beat, if anything, and whether it watches the others. */
  say: () => { watches: boolean; said: Beat | undefined };
  /** Is told what Redis has for it. */
  onReply: (reply: BeatReply) => void;
}

/** Makes an instance known to the others: it holds a name in Redis, and says a few times a second how it is. */
export class Presence {
  /** Resolves when the instance has its name. */
  readonly named: Promise<void>;
  #options: PresenceOptions;
  #hasName: boolean;
  #setNamed: () => void;
  /** Another one for each process, but the same for a container that is started again. */
  #owner = `${hostname()}:${process.pid}`;
  #underWay: Promise<void> | undefined;
  #lastFailure = '';
  #hasBeaten = false;

  constructor(options: PresenceOptions) {
    const { redis, isNamed, draining, atEnd } = options;
    this.#options = options;
    this.#hasName = isNamed;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.named = promise;
    this.#setNamed = resolve;
    if (isNamed) resolve();

    const beat = () => void this.beat();
    const timer = setInterval(beat, BEAT_MS).unref();
    redis.on('ready', beat);
    draining.addEventListener('abort', beat);
    atEnd(async () => {
      clearInterval(timer);
      await this.#underWay;
      if (this.#hasName) await redis.releaseName(options.identity.name, this.#owner);
    });
  }

  /** Says how the instance is, now rather than with the next beat. */
  beat(): Promise<void> {
    this.#underWay ??= this.#beat()
      .catch((err) => this.#report(err))
      .finally(() => {
        this.#underWay = undefined;
      });
    return this.#underWay;
  }

  async #beat(): Promise<void> {
    const { redis, identity, isNamed, say, onReply } = this.#options;
    if (!redis.isReady) return;
    if (!this.#hasName) {
      identity.name = await redis.claimName(this.#owner, SILENT_MS);
      this.#hasName = true;
      this.#setNamed();
    }
    const message = { ...say(), isGiven: isNamed };
    const reply = await redis.beat(identity.name, this.#owner, SILENT_MS, message);
    this.#lastFailure = '';
    if (reply === null) {
      this.#hasName = false; // it stood still for so long that somebody else has the name now
      return this.#beat();
    }
    // What is there before the first one was meant for the process before.
    onReply(this.#hasBeaten ? reply : { ...reply, command: null });
    this.#hasBeaten = true;
  }

  /** An outage is reported by those who need Redis for a request. */
  #report(err: Error): void {
    if (isRedisUnavailable(err) || err.message === this.#lastFailure) return;
    this.#lastFailure = err.message;
    this.#options.log.warn({ reason: err.message }, 'this instance cannot make itself known');
  }
}
