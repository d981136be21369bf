import { hash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { RedisStore } from 'rate-limit-redis';
import { ClientOfflineError } from 'redis';
import { sendProblem } from './problem.ts';

const WINDOW_MS = 60_000;

/** A client of Redis; that of a Cluster also tells which of its nodes has a key. */
interface Redis {
  sendCommand(args: string[]): Promise<unknown>;
  nodeOf?: (key: string) => Redis | undefined;
}

/** What is limited, and the Redis that counts. */
export interface RateLimitOptions {
  redis: Redis;
  /** The name of the limit in the headers of the reply. */
  name: string;
  /** Requests in a minute; 0 allows any number. */
  limit: number;
  /** What is counted apart for each address of a client, for example the name that it tries. */
  of: (req: Request) => string;
  /** What a refused client is told. */
  detail: string;
}

/**
 * Limits requests. All instances count together, in Redis; without Redis, the request fails. A refused
 * request gets 429 with `Retry-After`. A request that the proxy repeats counts again.
 *
 * @see https://express-rate-limit.mintlify.app/reference/configuration
 */
export function limitRate(options: RateLimitOptions): RequestHandler {
  const { redis, name, limit, of, detail } = options;
  if (limit === 0) return (_req, _res, next) => next();
  return rateLimit({
    store: new RedisStore({
      prefix: `limit:${name}:`,
      sendCommandCluster: ({ key, command }) => send(redis, key, command) as Promise<string>,
    }),
    identifier: name,
    windowMs: WINDOW_MS,
    limit,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // An owner of an IPv6 subnet has addresses without end, so all of a subnet count as one. Hashed,
    // because names of keys appear in logs and tools of Redis.
    keyGenerator: (req) =>
      hash('sha256', `${ipKeyGenerator(req.ip ?? '')} ${of(req)}`, 'base64url'),
    handler: (_req, res) => sendProblem(res, 429, detail),
  });
}

async function send(redis: Redis, key: string | undefined, command: string[]): Promise<unknown> {
  // The store loads its scripts once at the start, and would not do without a reply. It also loads a
  // script that is missing when it is used. That is enough, and also right after a failover.
  const [, , script = ''] = command;
  if (key === undefined) return hash('sha1', script);
  const node = redis.nodeOf ? redis.nodeOf(key) : redis;
  if (!node) throw new ClientOfflineError();
  return node.sendCommand(command);
}
