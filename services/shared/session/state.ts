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

/** Runs a script on a session. */
export type Script<T> = (target: Target) => Promise<{ reply: T; session: string } | null>;

/** Runs a script before the session of a request is loaded: see before-loading.ts. */
export type BeforeLoading = <T>(
  req: Request,
  script: Script<T>,
  key?: string,
) => Promise<T | undefined>;

/**
 * Keeps the state in Redis keys beside the session and changes it by atomic scripts. Reading the
 * session, changing it and writing it back would lose the changes of concurrent requests.
 *
 * @param beforeLoading saves a round trip. Without it, the middleware must load each session first.
 */
export function redisSessionState(
  redis: SessionRedis,
  ttlSeconds: number,
  log: Logger,
  beforeLoading: BeforeLoading = async () => undefined,
): SessionState {
  async function run<T>(req: Request, script: Script<T>, key?: string): Promise<T> {
    const target = { id: req.sessionID, ttlSeconds, idempotencyKey: key };
    const done = await script(target).catch(async (err) => {
      if (!isCorrupt(err)) throw err;
      log.warn({ reason: err.message }, 'corrupt state of a session dropped');
      await redis.dropCorruptState(target);
      return script(target);
    });
    if (done === null) throw new SessionEnded();
    return done.reply;
  }
  /** Resolves to `undefined` if the visitor has no session. */
  async function runIfStored<T>(req: Request, script: Script<T>, key?: string) {
    const reply = await beforeLoading(req, script, key);
    if (reply !== undefined) return reply;
    if (isStored(req)) return run(req, script, key);
    await assertNotReplaced(req);
    return undefined;
  }
  async function change(req: Request, script: Script<number>): Promise<number> {
    const key = req.idempotencyKey?.();
    const reply = await beforeLoading(req, script, key);
    if (reply !== undefined) return reply;
    if (isStored(req)) return run(req, script, key);
    await startSession(req);
    try {
      return await run(req, script, key);
    } catch (err) {
      await endSession(req).catch(() => {}); // its cookie will never be sent
      throw err;
    }
  }
  return {
    countView: (req) => change(req, (target) => redis.countView(target)),
    async addToCart(req, item, quantity) {
      const total = await change(req, (target) => redis.addToCart(target, item, quantity));
      return total < 0 ? undefined : total;
    },
    async removeFromCart(req, item) {
      const remove = (target: Target) => redis.removeFromCart(target, item);
      await runIfStored(req, remove, req.idempotencyKey?.());
    },
    async setNickname(req, nickname) {
      await change(req, (target) => redis.setProfile(target, 'nickname', nickname));
    },
    async read(req) {
      const stored = await runIfStored(req, (target) => redis.readState(target));
      if (stored === undefined) return { views: 0, cart: {} };
      const [views, cart, profile] = stored as [string, string[], string[]];
      const quantities = pairs(cart).map(([item, quantity]) => [item, Number(quantity)]);
      const { nickname } = Object.fromEntries(pairs(profile));
      return {
        views: Number(views),
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
