import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { ErrorReply } from 'redis';
import { VerifiedCookies } from './cookies.ts';
import { renewalTime } from './renewal.ts';
import type { SessionRedis, Target } from './scripts.ts';
import {
  assertNotReplaced,
  endSession,
  isLoaded,
  isStored,
  loadSession,
  startSession,
} from './session.ts';
import { isValidSession, SessionEnded } from './store.ts';

/**
 * An instance maintains the session of a visitor (`Target.maintain`) at most once in this share of the
 * lifetime of a session, and in so many milliseconds.
 */
const MAINTAIN_INTERVAL = 0.01;
const MAX_MAINTAIN_MS = 10_000;

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

/** What the state of sessions needs. */
export interface StateOptions {
  redis: SessionRedis;
  /** The middleware that loads a session. It need not stand before the routes of the state. */
  session: RequestHandler;
  cookieName: string;
  /** The secrets in force: all of them verify. */
  secrets: () => Promise<string[]>;
  /** Seconds after which an unused session expires. */
  ttlSeconds: number;
  log: Logger;
}

/** Runs a script on a session. It replies with the session as stored, too; null if it has ended. */
type Script<T> = (target: Target) => Promise<{ reply: T; session: string } | null>;

/**
 * Keeps the state in Redis keys beside the session and changes it by atomic scripts. Reading the
 * session, changing it and writing it back would lose the changes of concurrent requests.
 *
 * A visitor with a valid cookie costs one round trip: the script itself tells whether the session
 * exists. The middleware loads a session only if there is none, or its renewal is due.
 */
export function redisSessionState(options: StateOptions): SessionState {
  const { redis, session, cookieName, secrets, ttlSeconds, log } = options;
  const cookies = new VerifiedCookies(cookieName, secrets);
  const maintainMs = Math.min(MAX_MAINTAIN_MS, ttlSeconds * 1000 * MAINTAIN_INTERVAL);

  /** Resolves to `undefined` if the session has ended or is corrupt, or the visitor has none. */
  async function runUnloaded<T>(
    req: Request,
    script: Script<T>,
    idempotencyKey?: string,
  ): Promise<T | undefined> {
    const visitor = await cookies.find(req);
    if (visitor === undefined) return undefined;
    const { id } = visitor;
    const now = performance.now();
    const maintain = now - visitor.maintainedAt > maintainMs;
    const done = await script({ id, ttlSeconds, idempotencyKey, maintain }).catch((err) => {
      if (!isCorrupt(err)) throw err;
      return null;
    });
    if (done === null) return undefined;
    if (done.session !== visitor.session) {
      if (!isValidSession(done.session)) return undefined;
      visitor.session = done.session;
      visitor.renewAt = renewalTime(JSON.parse(done.session), ttlSeconds);
    }
    // A read does not maintain the applied keys, and has no idempotency key itself.
    if (maintain && idempotencyKey !== undefined) visitor.maintainedAt = now;
    req.sessionID = id;
    if (Date.now() >= visitor.renewAt) await loadSession(session, req);
    return done.reply;
  }
  async function runLoaded<T>(target: Target, script: Script<T>): Promise<T> {
    const done = await script(target).catch(async (err) => {
      if (!isCorrupt(err)) throw err;
      log.warn({ reason: err.message }, 'corrupt state of a session dropped');
      await redis.dropCorruptState(target);
      return script(target);
    });
    if (done === null) throw new SessionEnded();
    return done.reply;
  }
  /** Resolves to `undefined` if the visitor has no session, not even a former one. */
  async function run<T>(
    req: Request,
    script: Script<T>,
    idempotencyKey?: string,
  ): Promise<T | undefined> {
    if (!isLoaded(req)) {
      const reply = await runUnloaded(req, script, idempotencyKey);
      if (reply !== undefined) return reply;
      await loadSession(session, req);
    }
    if (isStored(req)) return runLoaded({ id: req.sessionID, ttlSeconds, idempotencyKey }, script);
    await assertNotReplaced(req);
    return undefined;
  }
  async function change(req: Request, script: Script<number>): Promise<number> {
    const idempotencyKey = req.idempotencyKey?.();
    const reply = await run(req, script, idempotencyKey);
    if (reply !== undefined) return reply;
    await startSession(req);
    try {
      return await runLoaded({ id: req.sessionID, ttlSeconds, idempotencyKey }, script);
    } catch (err) {
      await endSession(req).catch(() => {}); // its cookie will never be sent
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
      await run(req, (target) => redis.removeFromCart(target, item), req.idempotencyKey?.());
    },
    async setNickname(req, nickname) {
      await change(req, (target) => redis.setProfile(target, 'nickname', nickname));
    },
    async read(req) {
      const stored = await run(req, (target) => redis.readState(target));
      if (stored === undefined) return { views: 0, cart: {} };
      const { views, cart, profile } = stored;
      const quantities = pairs(cart).map(([item, quantity]) => [item, Number(quantity)]);
      const { nickname } = Object.fromEntries(pairs(profile));
      return {
        views,
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
