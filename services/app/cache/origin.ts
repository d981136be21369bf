import { setTimeout as delay } from 'node:timers/promises';

/** The slow source of the data. Resolves to `null` if it has no such thing. */
export type Origin = (name: string, signal: AbortSignal) => Promise<string | null>;

/** The cache name of `GET /data`; that of `GET /data/:key` is `data:` and the key. */
export const DATA = 'data';
/** The origin has item-1 to item-1000. */
const ITEM = /^data:(item-(?:[1-9]\d{0,2}|1000))$/;

/** A simulated origin whose delay and failures can be changed while it runs. */
export function slowOrigin(
  behavior: Readonly<{ delayMs: number; failurePercent: number }>,
): Origin {
  return async (name, signal) => {
    await delay(behavior.delayMs, undefined, { signal });
    if (Math.random() * 100 < behavior.failurePercent) throw new Error('the origin failed, as set');
    if (name === DATA) return 'This is the new data';
    const [, item] = ITEM.exec(name) ?? [];
    return item === undefined ? null : `This is ${item}`;
  };
}
