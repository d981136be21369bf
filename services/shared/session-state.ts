import type { Request } from 'express';
import type { Logger } from 'pino';
import { ErrorReply } from 'redis';
import { assertRecent } from './deadline.ts';
import type { Redis } from './redis.ts';
import { isStored, startSession } from './session.ts';
import type { Target } from './session-scripts.ts';
import { SessionEnded } from './session-store.ts';

/** What belongs to a session besides who it is. */
export interface State {
  views: number;
  /** Quantities by item. */
  cart: Record<string, number>;
  nickname?: string;
}

/**
 * What belongs to a session and is changed by many requests at once. Each change resolves when it is
 * stored; the first one starts the session. Each rejects with `SessionEnded` where the session ended
 * while the request was under way.
 */
export interface SessionState {
  /** Counts one view. Resolves to the number of views so far. */
  countView(req: Request): Promise<number>;
  /** Resolves to the quantity of the item then, or to `undefined` where the cart is full. */
  addToCart(req: Request, item: string, quantity: number): Promise<number | undefined>;
  removeFromCart(req: Request, item: string): Promise<void>;
  setNickname(req: Request, nickname: string): Promise<void>;
  /** Starts no session: a stranger has no views and an empty cart. */
  read(req: Request): Promise<State>;
}

/**
 * Keeps it in Redis, in keys of its own beside the session, and changes it there in one step each.
 * So nothing is lost however many instances change it at once, as it would be where each of them
 * reads the session, changes it and writes it back.
 */
export function redisState(redis: Redis, ttlSeconds: number, log: Logger): SessionState {
  /** Runs a script on the session of a request. */
  async function run<T>(
    req: Request,
    script: (target: Target) => Promise<T | null>,
    changeId?: string,
  ): Promise<T> {
    const target = { id: req.sessionID, ttlSeconds, changeId };
    const reply = await script(target).catch(async (err) => {
      if (!isCorrupt(err)) throw err;
      log.warn({ reason: err.message }, 'state of a session repaired');
      await redis.repairState(target);
      return script(target);
    });
    if (reply === null) throw new SessionEnded();
    return reply;
  }
  async function change<T>(
    req: Request,
    script: (target: Target) => Promise<T | null>,
  ): Promise<T> {
    if (!isStored(req)) await startSession(req);
    assertRecent(req);
    return run(req, script, req.changeId);
  }
  return {
    countView: (req) => change(req, (target) => redis.countView(target)),
    async addToCart(req, item, quantity) {
      const total = await change(req, (target) => redis.addToCart(target, item, quantity));
      return total < 0 ? undefined : total;
    },
    async removeFromCart(req, item) {
      if (isStored(req)) await change(req, (target) => redis.removeFromCart(target, item));
    },
    async setNickname(req, nickname) {
      await change(req, (target) => redis.setProfile(target, 'nickname', nickname));
    },
    async read(req) {
      if (!isStored(req)) return { views: 0, cart: {} };
      const reply = await run(req, (target) => redis.readState(target));
      const [views, cart, profile] = reply as [string | null, string[], string[]];
      const quantities = pairs(cart).map(([item, quantity]) => [item, Number(quantity)]);
      const { nickname } = Object.fromEntries(pairs(profile));
      return {
        views: Number(views ?? 0),
        cart: Object.fromEntries(quantities),
        ...(nickname !== undefined && { nickname }),
      };
    },
  };
}

/** A flat list of keys and values, in pairs. */
function pairs(flat: string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [
    flat[2 * i] as string,
    flat[2 * i + 1] as string,
  ]);
}

/** Tells whether an error means that a key holds what can be no such state. */
function isCorrupt(err: unknown): err is ErrorReply {
  return err instanceof ErrorReply && /^WRONGTYPE|not an integer/.test(err.message);
}
