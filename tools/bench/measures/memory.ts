import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { usesOf } from '../../faults/process-use.ts';
import { Stack } from '../../stack/stack.ts';
import { median } from '../figures.ts';
import { type Figure, figure } from './figure.ts';
import { newVisitors, saturate } from './load.ts';

/** Megabytes. */
const TARGET = { atMost: 100 };
/** Milliseconds for which an instance is left alone before it counts as idle. */
const IDLE_MS = 2000;
const CONNECTIONS = 32;
const SECONDS = 20;
const VISITORS = 16;

/** How much memory an instance has: after its start, and after a load. */
export async function measureMemory(): Promise<Figure[]> {
  await using stack = await Stack.start();
  await delay(IDLE_MS);
  const idle = await resident(stack);
  const cookies = await newVisitors(stack.url, VISITORS);
  const asks = cookies.flatMap((cookie) => [{ path: '/', cookie }, { path: '/data' }]);
  const { perSecond } = await saturate(stack.url, CONNECTIONS, SECONDS, asks);
  const loaded = await resident(stack);
  const file = median(await fileBacked(stack));
  const code = `of it ${file} MB are files, most of all Node itself, which all instances share`;
  const rate = `${Math.round(perSecond)} requests/s by ${stack.instances.length} instances`;
  return [
    figure('memory idle', 'MB', idle, { target: TARGET, note: 'resident, one instance each' }),
    figure('memory after load', 'MB', loaded, {
      target: TARGET,
      note: `after ${SECONDS} s of ${rate}; ${code}`,
    }),
  ];
}

async function resident(stack: Stack): Promise<number[]> {
  const uses = await usesOf(stack);
  if (uses.length === 0) throw new Error('this system does not tell what memory a process has');
  return uses.map(({ rssMb }) => rssMb);
}

/** Megabytes of each instance's resident memory that are pages of files. */
async function fileBacked(stack: Stack): Promise<number[]> {
  const statuses = await Promise.all(stack.instances.map((instance) => instance.status()));
  return statuses.map(({ pid }) => {
    const [, kb] = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Math.round(Number(kb) / 1024);
  });
}
