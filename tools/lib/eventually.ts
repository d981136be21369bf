import { setTimeout as delay } from 'node:timers/promises';

/** Repeats `check` until it no longer throws. After `ms` milliseconds it throws the last error. */
export async function eventually<T>(check: () => T | Promise<T>, ms = 10_000): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    try {
      return await check();
    } catch (err) {
      if (Date.now() > until) throw err;
    }
    await delay(20);
  }
}
