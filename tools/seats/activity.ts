import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../lib/eventually.ts';
import { ROOT } from '../lib/root.mjs';
import { startControlServer } from '../stack/control-server.ts';
import { controlSocket } from '../stack/folder.ts';
import { Stack } from '../stack/stack.ts';
import type { Watchdog } from '../stack/watchdog.ts';

/** Limits the heap of each Node process more than `npm start` does, so that many seats fit. */
const NODE_OPTIONS = '--max-semi-space-size=4 --max-old-space-size=128';
/** The limit of Redis in the stack of a seat. */
const REDIS_MEMORY = '48mb';
/** Milliseconds for a lesson to end in order. */
const STOP_MS = 10_000;

/** What a seat runs: its stack or a lesson. */
export interface Activity {
  /** Settles when it has ended by itself; a stack runs until it is closed. */
  ended: Promise<unknown>;
  /** Of a stack: its port, and the key that controls its processes. */
  address?: { port: number; key: string };
  /** The processes whose memory counts, each with its descendants. */
  pids(): Promise<number[]>;
  /** Milliseconds since the last request; 0 for a lesson. */
  idleMs(): number;
  close(): Promise<void>;
}

/** The environment of all processes of a seat. The settings of the presenter are for no seat. */
function seatEnv(): NodeJS.ProcessEnv {
  return { ...process.env, NODE_OPTIONS, PUBLIC_URL: '', PRESENTER_KEY: '', REDIS_TOPOLOGY: '' };
}

/**
 * Starts the stack of a seat. Only a page that has the key can kill its processes.
 *
 * @throws {StackError} as {@link Stack.start}
 */
export async function startStack(
  options: { name: string; bind: string; port: number; scale: number },
  say: (line: string) => void,
): Promise<Activity> {
  const key = randomBytes(12).toString('base64url');
  const control = { FAULT_INJECTION: 'on', CONTROL_SOCKET: controlSocket(options.name) };
  const env = { ...seatEnv(), ...control, PRESENTER_KEY: key };
  const stack = await Stack.start({ ...options, env, redis: 'single', report: say });
  const server = await startControlServer(options.name, stack);
  const startedAt = Date.now();
  const close = async () => {
    server.close();
    await stack.close();
  };
  const limitRedis = () => stack.redis.ask(`CONFIG SET maxmemory ${REDIS_MEMORY}`);
  await eventually(limitRedis).catch(async (err) => {
    await close();
    throw err;
  });
  say('Your stack is ready.');
  return {
    ended: new Promise(() => {}),
    address: { port: options.port, key },
    pids: async () => (await stack.ps()).flatMap(({ pid }) => pid ?? []),
    idleMs: () => {
      const { mtimeMs } = statSync(join(stack.folder, 'access.log')); // nginx logs each request
      return Date.now() - Math.max(mtimeMs, startedAt);
    },
    close,
  };
}

/**
 * Starts a lesson as a process that runs its own stack.
 *
 * @param name of the lesson, from the catalog
 * @param watchdog ends the process if this one is killed
 */
export function startLesson(
  name: string,
  watchdog: Watchdog,
  say: (line: string) => void,
): Activity {
  const child = spawn(process.execPath, [join(ROOT, 'workshop/run.ts'), name], {
    env: seatEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // Ctrl-C must reach only the launcher
  });
  const { pid } = child;
  if (pid) watchdog.add(pid);
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', say);
  const ended = once(child, 'close').finally(() => pid && watchdog.remove(pid));
  return {
    ended,
    pids: async () => (pid ? [pid] : []),
    idleMs: () => 0,
    close: async () => {
      child.kill('SIGTERM');
      const timeout = new AbortController();
      const late = delay(STOP_MS, undefined, timeout).then(() => pid && process.kill(-pid, 9));
      late.catch(() => {}); // it has ended in time
      await ended.catch(() => {});
      timeout.abort();
    },
  };
}
