import type { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import {
  RedisClient,
  type RedisClientOptions,
  type RedisClientType,
  type RedisScripts,
} from 'redis';

/** Where Redis is, and how long a command may take. */
export interface RedisOptions<Scripts extends RedisScripts> {
  url: string;
  /** The CA certificates for a `rediss://` URL, in PEM. By default Node trusts the public CAs. */
  ca?: string;
  /** Milliseconds after which a command without a reply fails. */
  timeoutMs: number;
  log: Logger;
  /** The name of the client in the log. */
  name: string;
  scripts: Scripts;
  /** See https://redis.io/docs/latest/develop/reference/client-side-caching/ */
  clientSideCache?: NonNullable<RedisClientOptions['clientSideCache']>;
}

/** The commands that may wait for a reply at once. The limit bounds memory during an outage. */
const MAX_QUEUE = 10_000;

type Client<Scripts extends RedisScripts> = RedisClientType<
  Record<never, never>,
  Record<never, never>,
  Scripts
>;

/**
 * Creates a client that is not connected yet. `createClient` would build a class with all commands of
 * Redis for each client, which takes 25 MB and 0.1 s. This builds one for each set of scripts, and
 * leaves out the modules of Redis (JSON, search …).
 */
export function newClient<Scripts extends RedisScripts>(
  scripts: Scripts,
  options: RedisClientOptions = {},
): Client<Scripts> {
  return RedisClient.factory({ scripts })(options) as unknown as Client<Scripts>;
}

/**
 * Creates a client whose commands never hang: without a connection they fail at once, and if Redis
 * goes silent they fail within `timeoutMs`. It connects in the background and reconnects forever.
 */
export function createRedis<Scripts extends RedisScripts>(options: RedisOptions<Scripts>) {
  const { url, ca, timeoutMs, log, name, scripts, clientSideCache } = options;
  const client = newClient(scripts, {
    url,
    ...(clientSideCache && { clientSideCache }),
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_QUEUE,
    commandOptions: { timeout: 0 }, // covers unsent commands only; dropSilentConnection covers all
    disableClientInfo: true, // one command less that an ACL has to allow
    maintNotifications: 'disabled',
    socket: {
      ...(ca && { tls: true, ca }),
      connectTimeout: timeoutMs,
      // Ends a handshake that is never answered. A wall-clock timeout, so it must be longer than any
      // pause of this process that its connections should survive.
      socketTimeout: 20 * timeoutMs,
      reconnectStrategy: (retries) => Math.min(1000, 50 * 2 ** retries) * (0.5 + Math.random() / 2),
    },
  });
  logConnection(client, name, log);
  connect(client);
  dropSilentConnection(client, name, timeoutMs, log);
  return client;
}

/** Logs a failure once, not with every attempt to reconnect. */
export function logConnection(client: EventEmitter, name: string, log: Logger): void {
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

/** The part of a client that does not depend on its scripts. */
interface Connection {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  ping(): Promise<unknown>;
  destroy(): void;
}

/** Connects in the background. Failures arrive as `error` events. */
function connect(client: Connection): void {
  client.connect().catch(() => {});
}

/** Ticks without a reply after which Redis counts as silent. */
const MAX_SILENT_TICKS = 3;

/**
 * Drops a connection on which Redis no longer answers, so that every waiting command fails within
 * `timeoutMs` (node-redis has no such timeout for commands that were sent). One PING stands for all
 * commands, because Redis answers in order. It counts ticks instead of time: if the whole machine
 * was paused, no tick passed, and Redis was not silent.
 */
function dropSilentConnection(
  client: Connection,
  name: string,
  timeoutMs: number,
  log: Logger,
): void {
  const tickMs = timeoutMs / (MAX_SILENT_TICKS + 1); // a command may be sent just after the PING
  let ping: { ticks: number } | undefined;
  const sendPing = () => {
    const sent = { ticks: 0 };
    const answered = () => {
      if (ping === sent) ping = undefined;
    };
    ping = sent;
    client.ping().then(answered, answered);
  };
  const dropIfUnanswered = (sent: typeof ping) => {
    if (ping !== sent || !client.isReady) return;
    ping = undefined;
    log.warn(`${name}: silent for ${MAX_SILENT_TICKS * tickMs} ms`);
    client.destroy();
    connect(client);
  };
  const tick = () => {
    if (!client.isOpen) clearInterval(timer);
    if (!client.isReady) ping = undefined;
    else if (!ping) sendPing();
    else if (++ping.ticks === MAX_SILENT_TICKS) {
      setImmediate(dropIfUnanswered, ping); // first read a reply that came while we were busy
    }
  };
  const timer = setInterval(tick, tickMs).unref();
}

/** Closes a client after its last replies, or after `timeoutMs` at the latest. */
export async function closeRedis(
  client: { close(): Promise<unknown>; destroy(): void },
  timeoutMs: number,
): Promise<void> {
  // close() alone may wait forever for the reply to a command whose connection is gone.
  const closed = client.close().catch(() => {});
  await Promise.race([closed, delay(timeoutMs)]);
  client.destroy();
}
