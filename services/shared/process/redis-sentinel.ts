import { EventEmitter } from 'node:events';
import type { RedisScripts } from 'redis';
import type { RedisOptions } from './redis.ts';
import { forwardEvents, proxyClient } from './redis-proxy.ts';
import type { RedisAddress } from './redis-url.ts';
import { watchServers } from './redis-watch.ts';

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
  options: Pick<RedisOptions<RedisScripts>, 'ca' | 'log' | 'name' | 'scripts'>,
): Client {
  const { sentinels, name, urlOf } = address;
  const events = new EventEmitter();
  let current = offline;
  let primary: string | undefined;
  const end = watchServers({
    ...options,
    name: `${options.name}: Sentinel`,
    urls: sentinels,
    command: ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name],
    channel: '+switch-master',
    onAnswer(answers) {
      const named = majority(answers, sentinels.length);
      if (named === undefined || named === primary) return;
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
    const value = key === 'destroy' ? destroy : Reflect.get(current, key, current);
    return { owner: current, value };
  });
}

/** What more than half of all Sentinels say, those included that do not answer: `host port`. */
function majority(answers: ReadonlyMap<string, unknown>, sentinels: number): string | undefined {
  const named = [...answers.values()].map((answer) => Array.isArray(answer) && answer.join(' '));
  const found = named.find((one) => named.filter((other) => other === one).length > sentinels / 2);
  return found || undefined;
}
