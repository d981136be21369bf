import { setTimeout as delay } from 'node:timers/promises';
import { send } from '../../lib/visitor.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';

const SAMPLES = 5;
/** Milliseconds. */
const TARGET = { atMost: 2000 };
const TIMEOUT_MS = 30_000;
const POLL_MS = 5;

/** Measures the time from the command to scale up to the first reply of the new instance. */
export async function measureScale(): Promise<Figure[]> {
  await using stack = await Stack.start({ scale: 3 });
  const samples: number[] = [];
  while (samples.length < SAMPLES) {
    const from = performance.now();
    const [, ms] = await Promise.all([
      stack.scale(4),
      untilReply(stack.url, 'app-4').then(() => performance.now() - from),
    ]);
    samples.push(ms);
    await stack.scale(3);
  }
  const note = 'from 3 to 4 instances, to the first reply of the new one through nginx';
  return [figure('scale up', 'ms', samples, { target: TARGET, note })];
}

/** Resolves when `instance` has answered a request. */
async function untilReply(url: string, instance: string): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  while ((await send(`${url}/livez`, { signal })).headers['x-instance'] !== instance) {
    await delay(POLL_MS, undefined, { signal });
  }
}
