import { EventEmitter } from 'node:events';
import { createClient } from 'redis';
import type { RedisAddress } from './redis-url.ts';

/** Milliseconds between two questions to a Sentinel, which also tells of a failover by itself. */
const ASK_MS = 500;

/** Events of a client that its users may wait for. */
const EVENTS = ['connect', 'ready', 'end', 'error', 'reconnecting'];
const EMITTER = ['on', 'once', 'off', 'addListener', 'removeListener'] as const;

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
 */
export function followPrimary<Client extends Followed>(
  address: Extract<RedisAddress, { kind: 'sentinel' }>,
  offline: Client,
  create: (url: string) => Client,
): Client {
  const emitter = new EventEmitter();
  let current = offline;
  const watch = new PrimaryWatch(address, (url) => {
    if (current !== offline) current.destroy();
    current = create(url);
    for (const event of EVENTS) {
      current.on(event, (...args) => {
        if (emitter.listenerCount(event) > 0) emitter.emit(event, ...args);
      });
    }
  });
  const destroy = () => {
    watch.end();
    if (current !== offline) current.destroy();
  };
  return new Proxy(offline, {
    get(_, key) {
      if (key === 'destroy') return destroy;
      const isOfEmitter = EMITTER.some((name) => name === key);
      const owner = isOfEmitter ? emitter : current;
      const value = Reflect.get(owner, key, owner);
      return typeof value === 'function' ? value.bind(owner) : value;
    },
  });
}

/** Asks each Sentinel for the primary. */
class PrimaryWatch {
  #answers = new Map<string, string>();
  #sentinels: { destroy(): void }[];
  #timer: NodeJS.Timeout;
  #primary = '';

  /** @param onChange is called with the URL of the primary, whenever another one is named */
  constructor(
    { sentinels, name, urlOf }: Extract<RedisAddress, { kind: 'sentinel' }>,
    onChange: (url: string) => void,
  ) {
    const asks = sentinels.map((url) => {
      const sentinel = createClient({
        url,
        disableOfflineQueue: true,
        disableClientInfo: true,
        maintNotifications: 'disabled',
        socket: { connectTimeout: 2 * ASK_MS, reconnectStrategy: ASK_MS },
      });
      let isAsking = false;
      const ask = async () => {
        if (isAsking || !sentinel.isReady) return;
        isAsking = true;
        const command = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name];
        const reply = await sentinel.sendCommand(command).catch(() => null);
        isAsking = false;
        if (Array.isArray(reply)) this.#answers.set(url, urlOf(String(reply[0]), String(reply[1])));
        const primary = this.#majority(sentinels.length);
        if (primary === undefined || primary === this.#primary) return;
        this.#primary = primary;
        onChange(primary);
      };
      sentinel.on('error', () => this.#answers.delete(url)).on('ready', ask);
      sentinel.connect().catch(() => {});
      sentinel.subscribe('+switch-master', ask).catch(() => {});
      return { sentinel, ask };
    });
    this.#sentinels = asks.map(({ sentinel }) => sentinel);
    this.#timer = setInterval(() => {
      for (const { ask } of asks) void ask();
    }, ASK_MS);
    this.#timer.unref();
  }

  end(): void {
    clearInterval(this.#timer);
    for (const sentinel of this.#sentinels) sentinel.destroy();
  }

  /** What more than half of all Sentinels say, those included that do not answer. */
  #majority(sentinels: number): string | undefined {
    const answers = [...this.#answers.values()];
    return answers.find((one) => answers.filter((other) => other === one).length > sentinels / 2);
  }
}
