import { setTimeout as delay } from 'node:timers/promises';

/** The slow source that the cache spares. */
export async function fetchFromOrigin(delayMs: number): Promise<string> {
  await delay(delayMs);
  return 'This is the new data';
}
