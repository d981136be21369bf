import type { Request } from 'express';
import type { Logger } from 'pino';
import { ErrorReply } from 'redis';
import type { SessionRedis, Target } from './scripts.ts';
import { assertNotReplaced, endSession, isStored, startSession } from './session.ts';
import { SessionEnded } from './store.ts';

/** The state of a session, besides who is logged in. */
export interface State {
  views: number;
  /** Quantities by item. */
  cart: Record<string, number>;
  nickname?: string;
}

/**
 * State that concurrent requests change. Each change resolves when it is stored, and the first one
 * starts the session. All reject with `SessionEnded` if the session ended during the request.
 */
export interface SessionState {
  /** Counts one view. Resolves to the number of views so far. */
  countView(req: Request): Promise<number>;
  /** Resolves to the quantity of the item then, or to `undefined` if the cart is full. */
  addToCart(req: Request, item: string, quantity: number): Promise<number | undefined>;
  removeFromCart(req: Request, item: string): Promise<void>;
  setNickname(req: Request, nickname: string): Promise<void>;
  /** Starts no session: a stranger has no views and an empty cart. */
  read(req: Request): Promise<State>;
}

/**
 * Keeps the state in Redis keys beside the session and changes it by atomic scripts. Reading the
 * session, changing it and writing it back would lose the changes of concurrent requests.
 */
export function redisSessionState(
  redis: SessionRedis,
  ttlSeconds: number,
  log: Logger,
): SessionState {
  async function run<T>(target: Target, script: (target: Target) => Promise<T | null>): Promise<T> {
    const reply = await script(target).catch(async (err) => {
      if (!isCorrupt(err)) throw err;
      log.warn({ reason: err.message }, 'corrupt state of a session dropped');
      await redis.dropCorruptState(target);
      return script(target);
    });
    if (reply === null) throw new SessionEnded();
    return reply;
  }
  async function change(
    req: Request,
    script: (target: Target) => Promise<{ reply: number } | null>,
  ): Promise<number> {
    const idempotencyKey = req.idempotencyKey?.();
    const isNew = !isStored(req);
    if (isNew) await startSession(req);
    try {
      return (await run({ id: req.sessionID, ttlSeconds, idempotencyKey }, script)).reply;
    } catch (err) {
      if (isNew) await endSession(req).catch(() => {}); // its cookie will never be sent
      throw err;
    }
  }
  return {
    async countView(req) {
      return change(req, (target) => redis.countView(target));
    },
    async addToCart(req, item, quantity) {
      const total = await change(req, (target) => redis.addToCart(target, item, quantity));
      return total < 0 ? undefined : total;
    },
    async removeFromCart(req, item) {
      if (isStored(req)) await change(req, (target) => redis.removeFromCart(target, item));
      else await assertNotReplaced(req);
    },
    async setNickname(req, nickname) {
      await change(req, (target) => redis.setProfile(target, 'nickname', nickname));
    },
    async read(req) {
      if (!isStored(req)) {
        await assertNotReplaced(req);
        return { views: 0, cart: {} };
      }
      const target = { id: req.sessionID, ttlSeconds };
      const reply = await run(target, (target) => redis.readState(target));
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

/** Splits a flat list of fields and values into pairs. */
function pairs(flat: string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [
    flat[2 * i] as string,
    flat[2 * i + 1] as string,
  ]);
}

/** Tells whether a key holds something that cannot be such state. */
export function isCorrupt(err: unknown): err is ErrorReply {
  return err instanceof ErrorReply && /^(WRONGTYPE|CORRUPT)/.test(err.message);
}
