import type { EventEmitter } from 'node:events';
import type { ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';
import {
  ClientClosedError,
  ClientOfflineError,
  ConnectionTimeoutError,
  DisconnectsClientError,
  ErrorReply,
  MaxCommandRedirectionsError,
  RootNodesUnavailableError,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
  TimeoutError,
} from 'redis';

/** Replies of a Redis that is there but cannot serve the command now. */
const REFUSAL =
  /^(ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOPERM|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNBLOCKED|WRONGPASS)\b/;
/** The same for a command inside a script, before and since Redis 7.4, and for WAIT. */
const OTHER_REFUSAL =
  /^ERR (The user executing the script can't run|ACL failure in script|WAIT cannot be used with replica)/;

/** A change is in the primary, but not in as many replicas as it should be. */
export class NotReplicated extends Error {
  override name = 'NotReplicated';
}

const CONNECTION_ERRORS = [
  ClientOfflineError,
  ClientClosedError,
  DisconnectsClientError,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
  ConnectionTimeoutError,
  TimeoutError,
  // Errors of a cluster client: no node answers, or each one names another node.
  RootNodesUnavailableError,
  MaxCommandRedirectionsError,
  NotReplicated,
];
/** Errors of a client that finds Redis through Sentinels. */
const NO_PRIMARY = /^(no valid master node|None of the sentinels are available)/;

/** Milliseconds between two log lines of one outage. */
const LOG_INTERVAL_MS = 1000;

/** Tells whether an error means that Redis cannot serve now, so that trying later may help. */
export function isRedisUnavailable(err: unknown): boolean {
  if (err instanceof ErrorReply) {
    return REFUSAL.test(err.message) || OTHER_REFUSAL.test(err.message);
  }
  if (CONNECTION_ERRORS.some((kind) => err instanceof kind)) return true;
  if (!(err instanceof Error)) return false;
  return 'syscall' in err || err.message === 'The queue is full' || NO_PRIMARY.test(err.message);
}

/** The location of nginx/nginx.conf that sends a request to another instance. */
const OTHER_INSTANCE = '@other_instance';

/**
 * Tells whether only this instance may be concerned: it has no connection to Redis, or one to a former
 * primary. Redis has not seen the command, or has refused it.
 */
function mayBeOnlyHere(err: unknown): boolean {
  if (err instanceof ErrorReply) return err.message.startsWith('READONLY');
  return err instanceof ClientOfflineError || err instanceof ClientClosedError;
}

/** Tells whether an error means that an ACL, or the provider of Redis, denies a command. */
export function isDenied(err: unknown): err is ErrorReply {
  return err instanceof ErrorReply && /^(NOPERM|ERR unknown (sub)?command)/.test(err.message);
}

/**
 * Logs a command that an ACL denies, when the client has connected.
 *
 * @param without what the instance does without it
 */
export function logIfDenied(
  client: EventEmitter & { sendCommand(args: string[]): Promise<unknown> },
  command: string[],
  without: string,
  log: Logger,
): void {
  client.on('ready', async () => {
    const err = await client.sendCommand(command).then(
      () => undefined,
      (reason) => reason,
    );
    if (isDenied(err)) log.warn({ reason: err.message }, without);
  });
}

/**
 * Turns errors of an unavailable Redis into errors with status 503 for the problem handler, which
 * comes after it, and the refusal of too many changes into 429. If only this instance may be
 * concerned, it asks nginx to send the request to another one. It logs an outage once a second, with
 * the number of requests that failed.
 */
export function redisErrors(log: Logger): ErrorRequestHandler {
  let quietUntil = 0;
  let requests = 0;
  return (err, req, res, next) => {
    if (err instanceof ErrorReply && err.message.startsWith('FLOOD')) {
      const message = 'Too many changes by one visitor. Please try again in a minute.';
      return next(Object.assign(new Error(message), { status: 429, expose: true }));
    }
    if (!isRedisUnavailable(err)) return next(err);
    requests += 1;
    if (Date.now() >= quietUntil) {
      log.warn({ requests, reason: err.message || err.code }, 'Redis cannot serve');
      quietUntil = Date.now() + LOG_INTERVAL_MS;
      requests = 0;
    }
    // Only the nginx of this project has the location, so it says so with each request.
    if (mayBeOnlyHere(err) && req.get('X-Other-Instance') && !res.headersSent) {
      res.set('X-Accel-Redirect', OTHER_INSTANCE);
    }
    const message = err.message.startsWith('OOM')
      ? 'There is no memory left for more state.'
      : 'The shared state is unavailable. Please try again.';
    next(Object.assign(new Error(message, { cause: err }), { status: 503, expose: true }));
  };
}
