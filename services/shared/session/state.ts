import type { Request } from 'express';
import type { Logger } from 'pino';
import { ErrorReply } from 'redis';
import type { Visitor } from '../../app/fast-path/verified-cookies.ts';
import { assertRecent } from '../http/deadline.ts';
import type { Redis } from '../process/redis.ts';
import type { Target } from './scripts.ts';
import { assertNotReplaced, isStored, startSession } from './session.ts';
import { canBeSession, SessionEnded } from './store.ts';

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
  /**
   * The same for a visitor who is known, without `req.session`: all of it is one step in Redis.
   * Resolves to `undefined` where the session is not what it was.
   */
  countViewOf(visitor: Visitor, req: Request): Promise<number | undefined>;
  /** Resolves to the quantity of the item then, or to `undefined` where the cart is full. */
  addToCart(req: Request, item: string, quantity: number): Promise<number | undefined>;
  removeFromCart(req: Request, item: string): Promise<void>;
  setNickname(req: Request, nickname: string): Promise<void>;
  /** Starts no session: a stranger has no views and an empty cart. */
  read(req: Request): Promise<State>;
}

/**
 * After which part of its life the end of a session is put off again by one who does nothing but
 * view: it may come that much sooner than after the last view.
 */
const PUT_OFF_AFTER = 0.01;

/**
 * Keeps it in Redis, in keys of its own beside the session, and changes it there in one step each.
 * So nothing is lost however many instances change it at once, as it would be where each of them
 * reads the session, changes it and writes it back.
 */
export function redisState(redis: Redis, ttlSeconds: number, log: Logger): SessionState {
  const putOffMs = ttlSeconds * 1000 * PUT_OFF_AFTER;
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
    async countView(req) {
      const { views } = await change(req, (target) => redis.countView(target, true));
      return views;
    },
    async countViewOf(visitor, req) {
      assertRecent(req);
      const now = performance.now();
      const putOff = now - visitor.putOffAt > putOffMs;
      const target = { id: visitor.id, ttlSeconds, changeId: req.changeId };
      const reply = await redis.countView(target, putOff).catch((err) => {
        if (!isCorrupt(err)) throw err;
        return null;
      });
      if (reply === null) return undefined;
      if (reply.session !== visitor.session) {
        if (!canBeSession(reply.session)) return undefined;
        visitor.session = reply.session;
      }
      if (putOff) visitor.putOffAt = now;
      return reply.views;
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
