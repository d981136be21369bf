import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { StackError } from '../lib/errors.ts';
import type { Watchdog } from '../stack/watchdog.ts';

/** Connections that are kept open, each with one request under way at any time. */
export const CONNECTIONS = 64;
/** Seconds after which a request has failed. */
export const TIMEOUT_SECONDS = 10;

/**
 * Requests after which autocannon opens a connection anew. nginx closes one after 1000 requests, and
 * a request that has been sent by then is lost; this drops one reply in 900 from the count instead.
 */
export const RECONNECT_AFTER = 900;

/** What a generator is to do. */
export interface Job {
  url: string;
  seconds: number;
  /** A visitor each, or none; the connections have them in turn. */
  cookies: string[];
}

/** What came of it. */
export interface Load {
  /** How long it really took. */
  seconds: number;
  /** Replies with 200. */
  requests: number;
  /** Replies with another status. */
  others: number;
  /** Connection errors and timeouts. */
  errors: number;
  p50Ms: number;
  p99Ms: number;
}

/** How each generator is run; each writes a Load as JSON in its last line. */
const COMMANDS = {
  autocannon: (job: Job) => [process.execPath, pathOf('autocannon.ts'), JSON.stringify(job)],
  wrk: ({ url, seconds, cookies }: Job) => [
    ...['wrk', '--threads', '2', '--connections', String(CONNECTIONS)],
    ...['--duration', `${seconds}s`, '--timeout', `${TIMEOUT_SECONDS}s`],
    ...['--script', pathOf('wrk.lua'), url, '--', ...cookies],
  ],
};

export type Generator = keyof typeof COMMANDS;
export const GENERATORS = Object.keys(COMMANDS) as Generator[];

/**
 * Puts a load on, from a process of its own so that its CPU time is nobody else's.
 *
 * @throws {StackError} where the generator is missing or breaks
 */
export async function putLoad(generator: Generator, job: Job, watchdog: Watchdog): Promise<Load> {
  const [file = '', ...args] = COMMANDS[generator](job);
  const child = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  if (child.pid) watchdog.add(child.pid);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await closed.catch((err) => {
    throw new StackError(`${generator} cannot be run: ${err.message}`);
  });
  if (child.pid) watchdog.remove(child.pid);
  if (code !== 0) throw new StackError(`${generator} failed: ${stderr.trim()}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

function pathOf(name: string): string {
  return fileURLToPath(import.meta.resolve(`./${name}`));
}
