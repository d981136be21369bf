import { setTimeout as delay } from 'node:timers/promises';

/** The slow source that the cache spares. `null` where it has no such thing. */
export type Origin = (name: string, signal: AbortSignal) => Promise<string | null>;

/** The name of what `GET /data` answers; what `GET /data/:key` answers is `data:` and its key. */
export const DATA = 'data';
/** The origin has item-1 to item-1000. */
const ITEM = /^data:(item-(?:[1-9]\d{0,2}|1000))$/;

/**
 * An origin that takes `delayMs` for each answer, and fails `failurePercent` of 100 times. It stops
 * when nobody waits for it any more.
 */
export function slowOrigin(delayMs: number, failurePercent: number): Origin {
  return async (name, signal) => {
    await delay(delayMs, undefined, { signal });
    if (Math.random() * 100 < failurePercent)
      throw new Error('the origin fails, as it was told to');
    if (name === DATA) return 'This is the new data';
    const [, item] = ITEM.exec(name) ?? [];
    return item === undefined ? null : `This is ${item}`;
  };
}
