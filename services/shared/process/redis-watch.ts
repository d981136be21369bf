import type { RedisScripts } from 'redis';
import { logConnection, newClient, type RedisOptions } from './redis.ts';
import { isDenied } from './redis-errors.ts';

/** Milliseconds between two questions to a server. */
const ASK_MS = 500;
/**
 * Milliseconds without an answer after which a server is connected to again. TCP would repeat a lost
 * packet only after as long a time as the packets before it were lost.
 */
const MAX_SILENT_MS = 1000;

/** Options of a client that its other connections share. */
export type SharedOptions = Pick<RedisOptions<RedisScripts>, 'ca' | 'log' | 'name' | 'scripts'>;

/** The last answer of a server. */
export interface Answer {
  value: unknown;
  /** When it was asked, by `performance.now()`. */
  askedAt: number;
}

/** A question, and the servers that answer it. */
export interface WatchOptions extends SharedOptions {
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
    const label = `${name} ${new URL(url).host}`;
    /** When a question was asked that is not yet answered. */
    let pendingSince: number | undefined;
    const ask = async () => {
      const askedAt = performance.now();
      if (pendingSince !== undefined && askedAt - pendingSince > MAX_SILENT_MS) {
        log.warn(`${label}: silent for ${MAX_SILENT_MS} ms`);
        answers.delete(url);
        client.destroy();
        client = connect();
        pendingSince = undefined;
      }
      if (pendingSince !== undefined || !client.isReady) return;
      pendingSince = askedAt;
      const asked = client;
      const value = await asked.sendCommand(command).catch((err) => {
        if (isDenied(err)) asked.emit('error', err);
      });
      if (asked !== client) return;
      pendingSince = undefined;
      if (value === undefined) return;
      answers.set(url, { value, askedAt });
      onAnswer(answers);
    };
    const connect = () => {
      const connecting = newClient(scripts, {
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
      logConnection(connecting, label, log);
      connecting.on('error', () => answers.delete(url)).on('ready', ask);
      connecting.connect().catch(() => {});
      if (channel) connecting.subscribe(channel, ask).catch(() => {});
      return connecting;
    };
    let client = connect();
    return { ask, end: () => client.destroy() };
  });
  const timer = setInterval(() => {
    for (const { ask } of servers) void ask();
  }, ASK_MS).unref();
  return () => {
    clearInterval(timer);
    for (const { end } of servers) end();
  };
}
