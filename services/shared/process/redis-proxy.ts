import type { EventEmitter } from 'node:events';

/** Events of a client that its users may wait for. */
const EVENTS = ['connect', 'ready', 'end', 'error', 'reconnecting'];
const EMITTER = ['on', 'once', 'off', 'addListener', 'removeListener'];

/**
 * Repeats the events of a client to the listeners of another emitter.
 *
 * @param isTold tells whether an event is repeated; by default each one is
 */
export function forwardEvents(
  from: EventEmitter,
  to: EventEmitter,
  isTold: (event: string) => boolean = () => true,
): void {
  for (const event of EVENTS) {
    from.on(event, (...args) => {
      if (isTold(event) && to.listenerCount(event) > 0) to.emit(event, ...args);
    });
  }
}

/**
 * A client that stands for others.
 *
 * @param like a client of the same kind
 * @param events the emitter on which its users listen
 * @param find returns the value of any other property, and the object that it belongs to
 */
export function proxyClient<Client extends object>(
  like: Client,
  events: EventEmitter,
  find: (key: string) => { owner: object; value: unknown },
): Client {
  return new Proxy(like, {
    get(_, property) {
      const key = String(property);
      const { owner, value } = EMITTER.includes(key)
        ? { owner: events, value: Reflect.get(events, key) }
        : find(key);
      return typeof value === 'function' ? value.bind(owner) : value;
    },
  });
}
