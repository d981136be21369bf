import type { RedisScripts } from 'redis';
import { logConnection, newClient, type RedisOptions } from './redis.ts';
import { isDenied } from './redis-errors.ts';

/** Milliseconds between two questions to a server. */
const ASK_MS = 500;

/** The last answer of a server. */
export interface Answer {
  value: unknown;
  /** When it was asked, by `performance.now()`. */
  askedAt: number;
}

/** A question, and the servers that answer it. */
export interface WatchOptions
  extends Pick<RedisOptions<RedisScripts>, 'ca' | 'log' | 'name' | 'scripts'> {
  /** The URLs of the servers. */
  urls: string[];
  command: string[];
  /** A channel of the servers: each message on it is a reason to ask at once. */
  channel?: string;
  /** Is called with the last answer of each server that is connected, by its URL. */
  onAnswer: (answers: ReadonlyMap<string, Answer>) => void;
}

/**
 * Asks several servers the same question, twice a second.
 *
 * @returns a function that ends this
 */
export function watchServers(options: WatchOptions): () => void {
  const { urls, ca, command, channel, onAnswer, log, name, scripts } = options;
  const answers = new Map<string, Answer>();
  const servers = urls.map((url) => {
    const client = newClient(scripts, {
      url,
      disableOfflineQueue: true,
      disableClientInfo: true,
      maintNotifications: 'disabled',
      socket: {
        ...(ca && { tls: true, ca }),
        connectTimeout: 2 * ASK_MS,
        reconnectStrategy: ASK_MS,
      },
    });
    let isAsking = false;
    const ask = async () => {
      if (isAsking || !client.isReady) return;
      isAsking = true;
      const askedAt = performance.now();
      const value = await client.sendCommand(command).catch((err) => {
        if (isDenied(err)) client.emit('error', err);
      });
      isAsking = false;
      if (value === undefined) return;
      answers.set(url, { value, askedAt });
      onAnswer(answers);
    };
    logConnection(client, `${name} ${new URL(url).host}`, log);
    client.on('error', () => answers.delete(url)).on('ready', ask);
    client.connect().catch(() => {});
    if (channel) client.subscribe(channel, ask).catch(() => {});
    return { client, ask };
  });
  const timer = setInterval(() => {
    for (const { ask } of servers) void ask();
  }, ASK_MS).unref();
  return () => {
    clearInterval(timer);
    for (const { client } of servers) client.destroy();
  };
}
