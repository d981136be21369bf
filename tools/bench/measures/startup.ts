import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Running } from '../../lib/running.ts';
import { type Figure, figure } from './figure.ts';

const SAMPLES = 5;
/** Milliseconds. */
const TARGET = { atMost: 3000 };
const TIMEOUT_MS = 30_000;

/** Measures the time from `npm start` to its line "ready". */
export async function measureStartup(): Promise<Figure[]> {
  const samples: number[] = [];
  while (samples.length < SAMPLES) samples.push(await startOnce());
  const note = 'npm start, 3 instances, to its line "ready"; packages installed';
  return [figure('startup', 'ms', samples, { target: TARGET, note })];
}

async function startOnce(): Promise<number> {
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const from = performance.now();
  await using npm = new Running('npm', ['start', '--', '--port', '0', '--name', name]);
  const ended = npm.ended.then(({ stdout, stderr }) => {
    throw new Error(`npm start ended: ${stdout}${stderr}`);
  });
  while (!/^ready /m.test(npm.stdout)) {
    await Promise.race([ended, once(npm.child.stdout as Readable, 'data', { signal })]);
  }
  const ms = performance.now() - from;
  if (npm.child.pid) process.kill(-npm.child.pid, 'SIGINT'); // to the whole group, as Ctrl-C does
  await npm.ended;
  return ms;
}
