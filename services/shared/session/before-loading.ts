import type { Request, RequestHandler, Response } from 'express';
import { renewalTime } from './renewal.ts';
import { type BeforeLoading, isCorrupt } from './state.ts';
import { isValidSession } from './store.ts';
import { VerifiedCookies, type Visitor } from './verified-cookies.ts';

/**
 * An instance maintains the session of a visitor (`Target.maintain`) at most once in this share of the
 * lifetime of a session, and in so many milliseconds. Meanwhile nothing limits the applied keys.
 */
const MAINTAIN_INTERVAL = 0.01;
const MAX_MAINTAIN_MS = 1000;

/** How the sessions are loaded. */
export interface LoadingOptions {
  /** The middleware that loads and renews a session. */
  session: RequestHandler;
  cookieName: string;
  /** The secrets in force: all of them verify. */
  secrets: () => Promise<string[]>;
  /** Seconds after which an unused session expires. */
  ttlSeconds: number;
}

/**
 * Runs a script for a visitor with a valid cookie without the session middleware. That is one round
 * trip to Redis instead of two, because the script itself tells whether the session exists. If it does
 * not exist or is corrupt, it is loaded.
 */
export function runBeforeLoading(options: LoadingOptions): BeforeLoading {
  const { session, cookieName, secrets, ttlSeconds } = options;
  const cookies = new VerifiedCookies(cookieName, secrets);
  const maintainMs = Math.min(MAX_MAINTAIN_MS, ttlSeconds * 1000 * MAINTAIN_INTERVAL);

  return async (req, script, idempotencyKey) => {
    if (isLoaded(req)) return undefined;
    const visitor = await cookies.find(req);
    if (visitor !== undefined) {
      const { id } = visitor;
      const now = performance.now();
      const maintain = now - visitor.maintainedAt > maintainMs;
      const done = await script({ id, ttlSeconds, idempotencyKey, maintain }).catch(nullIfCorrupt);
      if (done !== null && knowsSession(visitor, done.session)) {
        // A read does not maintain the applied keys, and has no idempotency key itself.
        if (maintain && idempotencyKey !== undefined) visitor.maintainedAt = now;
        req.sessionID = id;
        if (Date.now() >= visitor.renewAt) await loadSession(session, req);
        return done.reply;
      }
    }
    await loadSession(session, req);
    return undefined;
  };

  /** Remembers the session of a visitor. Returns false if it is corrupt. */
  function knowsSession(visitor: Visitor, json: string): boolean {
    if (json === visitor.session) return true;
    if (!isValidSession(json)) return false;
    visitor.session = json;
    visitor.renewAt = renewalTime(JSON.parse(json), ttlSeconds);
    return true;
  }
}

function nullIfCorrupt(err: unknown): null {
  if (isCorrupt(err)) return null;
  throw err;
}

function isLoaded(req: Request): boolean {
  return (req.session as unknown) !== undefined;
}

/** Runs the middleware `session` for a request, unless it has run. */
export async function loadSession(session: RequestHandler, req: Request): Promise<void> {
  if (isLoaded(req)) return;
  await new Promise<void>((resolve, reject) => {
    const done = session(req, req.res as Response, (err) => (err ? reject(err) : resolve()));
    Promise.resolve(done).catch(reject);
  });
}
