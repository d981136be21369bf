import { EventEmitter } from 'node:events';
import { ClientOfflineError } from 'redis';
import { forwardEvents, proxyClient } from './redis-proxy.ts';
import type { RedisAddress } from './redis-url.ts';
import { type Answer, type SharedOptions, watchServers } from './redis-watch.ts';

/**
 * Milliseconds for which the Sentinels' word is good. It must be shorter than the time after which
 * they replace a primary that they cannot reach (down-after-milliseconds).
 */
const CONFIRMED_MS = 1000;

/** Options of a client that follows the primary. */
export interface FollowOptions extends SharedOptions {
  /**
   * The names of scripts and commands that read what must be current. They fail if most Sentinels
   * have not just confirmed the primary: it may be cut off, and another one in its place.
   */
  currentReads?: string[];
}

/** The part of a client that is needed here. */
interface Followed extends EventEmitter {
  destroy(): void;
}

/**
 * A client that is always connected to the primary: the Redis that most of the Sentinels name. If
 * that changes, the old connection is dropped, with the commands that wait on it.
 *
 * node-redis has a client of its own for Sentinels. It repeats a change whose reply was lost, queues
 * without a limit while there is no primary, and ignores a client-side cache.
 *
 * @param offline a client that is not connected, until the Sentinels have named a primary
 * @param create connects a client to a URL
 * @param options those of the client, which its connections to the Sentinels share
 */
export function followPrimary<Client extends Followed>(
  address: Extract<RedisAddress, { kind: 'sentinel' }>,
  offline: Client,
  create: (url: string) => Client,
  options: FollowOptions,
): Client {
  const { sentinels, name, urlOf } = address;
  const { currentReads = [] } = options;
  const events = new EventEmitter();
  let current = offline;
  let primary: string | undefined;
  let confirmedUntil = 0;
  const end = watchServers({
    ...options,
    name: `${options.name}: Sentinel`,
    urls: sentinels,
    command: ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name],
    channel: '+switch-master',
    onAnswer(answers) {
      const { named, askedAt } = majority([...answers.values()], sentinels.length) ?? {};
      if (named === undefined) return;
      confirmedUntil = (askedAt ?? 0) + CONFIRMED_MS;
      if (named === primary) return;
      primary = named;
      if (current !== offline) current.destroy();
      const [host = '', port = ''] = named.split(' ');
      current = create(urlOf(host, port));
      forwardEvents(current, events);
    },
  });
  const destroy = () => {
    end();
    if (current !== offline) current.destroy();
  };
  return proxyClient(offline, events, (key) => {
    if (currentReads.includes(key) && performance.now() > confirmedUntil) {
      return { owner: current, value: () => Promise.reject(new ClientOfflineError()) };
    }
    const value = key === 'destroy' ? destroy : Reflect.get(current, key, current);
    return { owner: current, value };
  });
}

/**
 * What more than half of all Sentinels say, those included that do not answer.
 *
 * @returns `host port`, and the time by which that many of them have been asked since
 */
function majority(
  answers: Answer[],
  sentinels: number,
): { named: string; askedAt: number } | undefined {
  const needed = Math.floor(sentinels / 2) + 1;
  const votes = Map.groupBy(answers, ({ value }) => (Array.isArray(value) ? value.join(' ') : ''));
  for (const [named, its] of votes) {
    const times = its.map(({ askedAt }) => askedAt).sort((one, other) => other - one);
    const askedAt = times[needed - 1];
    if (named !== '' && askedAt !== undefined) return { named, askedAt };
  }
  return undefined;
}
