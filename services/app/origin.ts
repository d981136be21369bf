import { setTimeout as delay } from 'node:timers/promises';

/** The slow source that the cache spares. Rejects when nobody waits for it any more. */
export async function fetchFromOrigin(delayMs: number, signal: AbortSignal): Promise<string> {
  await delay(delayMs, undefined, { signal });
  return 'This is the new data';
}
