import type { EventEmitter } from 'node:events';
import type { Logger } from 'pino';

/** The part of a client that is needed here. */
interface Subscriber extends EventEmitter {
  pSubscribe(pattern: string, listener: (event: string) => void): Promise<void>;
}

/** How many keys of some names a full Redis has evicted. */
export interface Evictions {
  /** A pattern of names, for example `sess:*`. */
  readonly keys: string;
  /** Since the start of the process, while it was connected. */
  count: number;
}

/**
 * Counts evictions while a client is connected. Redis must have the setting
 * `notify-keyspace-events Ke`.
 *
 * @see https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/
 */
export function countEvictions(client: Subscriber, evictions: Evictions, log: Logger): void {
  const { keys } = evictions;
  const listener = (event: string) => {
    if (event === 'evicted') evictions.count += 1;
  };
  client.on('ready', () => {
    client.pSubscribe(`__keyspace@*__:${keys}`, listener).catch((err) => {
      log.warn({ reason: err.message }, `evictions of ${keys} are not counted`);
    });
  });
}
