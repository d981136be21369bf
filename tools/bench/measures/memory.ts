import { setTimeout as delay } from 'node:timers/promises';
import { newVisitors } from '../../lib/load.ts';
import { usesOf } from '../../lib/process-use.ts';
import { median } from '../../lib/statistics.ts';
import { Stack } from '../../stack/stack.ts';
import { saturate } from '../autocannon.ts';
import { type Figure, figure } from './figure.ts';

/** Megabytes. */
const IDLE = { atMost: 100 };
const LOADED = { atMost: 110 };
/** Milliseconds without requests before an instance counts as idle. */
const IDLE_MS = 2000;
const CONNECTIONS = 32;
const SECONDS = 20;
const VISITORS = 16;

/** Measures the memory of an instance, after its start and after a load. */
export async function measureMemory(): Promise<Figure[]> {
  await using stack = await Stack.start();
  await delay(IDLE_MS);
  const idle = await usesOf(stack.instances);
  if (idle.length === 0) throw new Error('the memory of a process can be measured on Linux only');
  const cookies = await newVisitors(stack.url, VISITORS);
  const requests = cookies.flatMap((cookie) => [{ path: '/', cookie }, { path: '/data' }]);
  const { perSecond } = await saturate(stack.url, CONNECTIONS, SECONDS, requests);
  const loaded = await usesOf(stack.instances);
  const file = median(loaded.map(({ fileMb }) => fileMb));
  const code = `of it ${file} MB are files, most of all Node itself, which all instances share`;
  const rate = `${Math.round(perSecond)} requests/s by ${stack.instances.length} instances`;
  const megabytes = (uses: typeof idle) => uses.map(({ rssMb }) => rssMb);
  const note = `after ${SECONDS} s of ${rate}; ${code}`;
  return [
    figure('memory idle', 'MB', megabytes(idle), {
      target: IDLE,
      note: 'resident, one instance each',
    }),
    figure('memory after load', 'MB', megabytes(loaded), { target: LOADED, note }),
  ];
}
