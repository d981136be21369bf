import type { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import {
  ClientClosedError,
  ClientOfflineError,
  ConnectionTimeoutError,
  createClient,
  DisconnectsClientError,
  ErrorReply,
  type RedisClientOptions,
  type RedisScripts,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
} from 'redis';
import type { sessionScripts } from '../session/scripts.ts';

/** The Redis client of an instance, with the scripts of its sessions. */
export type Redis = ReturnType<typeof createRedis<typeof sessionScripts>>;

/** Where Redis is, how long any command may take, and which scripts the client knows. */
export interface RedisOptions<Scripts extends RedisScripts> {
  url: string;
  /** Milliseconds. Every command has ended by then, with a reply or with an error. */
  timeoutMs: number;
  log: Logger;
  /** How it is called in the log. */
  name: string;
  scripts: Scripts;
  /** Keeps what the client has read, and is told by Redis when it changes. */
  clientSideCache?: NonNullable<RedisClientOptions['clientSideCache']>;
}

/** The most commands that may wait for Redis at once; it bounds the memory of an outage. */
const MAX_WAITING = 10_000;

/**
 * Makes a client that is never waited for in vain: without a connection a command fails at once,
 * with one that has gone silent it fails within `timeoutMs`. It connects, and connects again, for
 * ever and by itself.
 */
export function createRedis<Scripts extends RedisScripts>(options: RedisOptions<Scripts>) {
  const { url, timeoutMs, log, name, scripts, clientSideCache } = options;
  const client = createClient({
    url,
    scripts,
    ...(clientSideCache && { clientSideCache }),
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    // Its own deadline covers only commands that are not yet written; see failWhenSilent.
    commandOptions: { timeout: 0 },
    maintNotifications: 'disabled',
    socket: {
      connectTimeout: timeoutMs,
      // Ends a handshake that is never answered; otherwise failWhenSilent comes first. It goes by the
      // clock, so it is longer than an instance hangs that is to go on as if nothing had been.
      socketTimeout: 20 * timeoutMs,
      reconnectStrategy: (retries) => Math.min(1000, 50 * 2 ** retries) * (0.5 + Math.random() / 2),
    },
  });
  logConnection(client, name, log);
  reconnect(client);
  failWhenSilent(client, name, timeoutMs, log);
  return client;
}

/** Logs each change for the worse once, and not again with each attempt to connect. */
function logConnection(client: EventEmitter, name: string, log: Logger): void {
  let logged = '';
  client.on('error', (err) => {
    const reason = err.message || err.code;
    if (reason !== logged) log.warn(`${name}: ${reason}`);
    logged = reason;
  });
  client.on('ready', () => {
    log.info(`${name}: connected`);
    logged = '';
  });
}

/** The part of a client that keeps a connection alive, whatever commands it knows. */
interface Connection {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  ping(): Promise<unknown>;
  destroy(): void;
}

/** Connects in the background; each failure has been reported as an `error` event. */
function reconnect(client: Connection): void {
  client.connect().catch(() => {});
}

/** After how many beats without an answer Redis counts as silent. */
const MAX_SILENT_BEATS = 3;

/**
 * Gives every command a deadline, also one that was sent to a Redis that hangs (node-redis has no
 * such deadline). One PING stands for all of them: Redis answers in order, so nothing that was sent
 * after it is answered before it. Where it is not answered in time, the connection is dropped, all
 * that waits for it fails, and a new one is made.
 * One timer for each client, and nothing to pay for each command. It counts beats, not time: where
 * the whole machine stood still, Redis did too, and has not been silent.
 */
function failWhenSilent(client: Connection, name: string, timeoutMs: number, log: Logger): void {
  const beatMs = timeoutMs / (MAX_SILENT_BEATS + 1); // a command may come just after the PING
  let question: { beats: number } | undefined;
  const ask = () => {
    const asked = { beats: 0 };
    const answered = () => {
      if (question === asked) question = undefined;
    };
    question = asked;
    client.ping().then(answered, answered);
  };
  const dropIfUnanswered = (asked: typeof question) => {
    if (question !== asked || !client.isReady) return;
    question = undefined;
    log.warn(`${name}: silent for ${MAX_SILENT_BEATS * beatMs} ms`);
    client.destroy();
    reconnect(client);
  };
  const beat = () => {
    if (!client.isReady) question = undefined;
    else if (!question) ask();
    else if (++question.beats === MAX_SILENT_BEATS) {
      // A reply may have come while this process was busy: let it be read first.
      setImmediate(dropIfUnanswered, question);
    }
  };
  setInterval(beat, beatMs).unref();
}

/** Closes the client once its last replies are there, or after `timeoutMs` at the latest. */
export async function closeRedis(
  client: Pick<Redis, 'close' | 'destroy'>,
  timeoutMs: number,
): Promise<void> {
  // close() alone may wait for ever: for the reply to a command whose connection has gone.
  const closed = client.close().catch(() => {});
  await Promise.race([closed, delay(timeoutMs)]);
  client.destroy();
}

/** What Redis answers when it is there but cannot do what was asked of it now. */
const REFUSALS =
  /^(BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOAUTH|NOPERM|NOREPLICAS|OOM|READONLY|TRYAGAIN|WRONGPASS)\b/;
/** The same for a command within a script that the user may not run, before and since Redis 7.4. */
const SCRIPT_REFUSALS = /^ERR (The user executing the script can't run|ACL failure in script)/;

/** Tells whether an error means that Redis cannot serve now, so that trying later may help. */
export function isRedisUnavailable(err: unknown): boolean {
  if (err instanceof ErrorReply) {
    return REFUSALS.test(err.message) || SCRIPT_REFUSALS.test(err.message);
  }
  return (
    err instanceof ClientOfflineError ||
    err instanceof ClientClosedError ||
    err instanceof DisconnectsClientError ||
    err instanceof SocketClosedUnexpectedlyError ||
    err instanceof SocketTimeoutError ||
    err instanceof ConnectionTimeoutError ||
    (err instanceof Error && ('syscall' in err || err.message === 'The queue is full'))
  );
}
