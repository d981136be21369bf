import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Running } from '../../lib/running.ts';
import { type Figure, figure } from './figure.ts';

const SAMPLES = 5;
/** Milliseconds. */
const TARGET = { atMost: 3000 };
const LONGEST_MS = 30_000;

/** How long `npm start` takes until all is ready, where the packages are installed. */
export async function measureStartup(): Promise<Figure[]> {
  const samples: number[] = [];
  while (samples.length < SAMPLES) samples.push(await startOnce());
  const note = 'npm start, 3 instances, to its line "ready"; packages installed';
  return [figure('startup', 'ms', samples, { target: TARGET, note })];
}

async function startOnce(): Promise<number> {
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const from = performance.now();
  await using npm = new Running('npm', ['start', '--', '--port', '0', '--name', name]);
  await isReady(npm);
  const ms = performance.now() - from;
  if (npm.child.pid) process.kill(-npm.child.pid, 'SIGINT'); // to all of the group, as Ctrl-C does
  await npm.ended;
  return ms;
}

/** Resolves at the line that says so. */
async function isReady({ child, ended }: Running): Promise<void> {
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => line.startsWith('ready ') && resolve());
  });
  const failed = ended.then(({ stdout, stderr }) => {
    throw new Error(`npm start ended: ${stdout}${stderr}`);
  });
  await Promise.race([ready, failed, once(AbortSignal.timeout(LONGEST_MS), 'abort').then(tooLate)]);
}

function tooLate(): never {
  throw new Error(`npm start was not ready after ${LONGEST_MS / 1000} s`);
}
