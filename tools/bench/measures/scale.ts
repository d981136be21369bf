import { setTimeout as delay } from 'node:timers/promises';
import { send } from '../../lib/visitor.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';

const SAMPLES = 5;
/** Milliseconds. */
const TARGET = { atMost: 2000 };
const LONGEST_MS = 30_000;
const POLL_MS = 5;

/** How long one more instance takes, from the command to its first reply through nginx. */
export async function measureScale(): Promise<Figure[]> {
  await using stack = await Stack.start({ scale: 3 });
  const samples: number[] = [];
  while (samples.length < SAMPLES) {
    const from = performance.now();
    const scaled = stack.scale(4);
    const [ms] = await Promise.all([firstReply(stack.url, 'app-4', from), scaled]);
    samples.push(ms);
    await stack.scale(3);
  }
  const note = 'from 3 to 4 instances, to the first reply of the new one through nginx';
  return [figure('scale up', 'ms', samples, { target: TARGET, note })];
}

/** Asks until that instance has answered. Resolves to the milliseconds since `from`. */
async function firstReply(url: string, instance: string, from: number): Promise<number> {
  for (;;) {
    const { status, headers } = await send(`${url}/livez`);
    if (status !== 200) throw new Error(`GET /livez answered ${status}`);
    const ms = performance.now() - from;
    if (headers['x-instance'] === instance) return ms;
    if (ms > LONGEST_MS) throw new Error(`no reply of ${instance} in ${LONGEST_MS / 1000} s`);
    await delay(POLL_MS);
  }
}
