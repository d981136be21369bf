import { setTimeout as delay } from 'node:timers/promises';

/** The slow source that the cache spares. `null` where it has no such thing. */
export type Origin = (name: string, signal: AbortSignal) => Promise<string | null>;

/** The name of what `GET /data` answers; what `GET /data/:key` answers is `data:` and its key. */
export const DATA = 'data';
/** The origin has item-1 to item-1000. */
const ITEM = /^data:(item-(?:[1-9]\d{0,2}|1000))$/;

/** How slow and how bad an origin is now. */
export interface OriginBehaviour {
  /** Milliseconds for each answer. */
  delayMs: number;
  /** How many of 100 calls fail. */
  failurePercent: number;
}

/** An origin that behaves as it is told. It stops when nobody waits for it any more. */
export function slowOrigin(behaviour: Readonly<OriginBehaviour>): Origin {
  return async (name, signal) => {
    await delay(behaviour.delayMs, undefined, { signal });
    if (Math.random() * 100 < behaviour.failurePercent)
      throw new Error('the origin fails, as it was told to');
    if (name === DATA) return 'This is the new data';
    const [, item] = ITEM.exec(name) ?? [];
    return item === undefined ? null : `This is ${item}`;
  };
}
