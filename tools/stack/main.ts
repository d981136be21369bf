// npm start: runs a stack until Ctrl-C.
import { readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from '../lib/errors.ts';
import { ROOT } from '../lib/root.ts';
import { failure } from './commands.ts';
import { listenForCommands } from './control-socket.ts';
import type { Instance } from './instance.ts';
import { takeName } from './name.ts';
import { chaosSettings } from './room.ts';
import { Stack } from './stack.ts';

/** Milliseconds of quiet after a change before the instances are restarted (npm run dev). */
const QUIET_MS = 100;
/** Milliseconds within which two signals are one. */
const TWICE_MS = 1000;
/** Milliseconds between two looks at whether npm, which started this, is still there. */
const PARENT_MS = 500;

try {
  const { name, rest } = takeName(process.argv.slice(2));
  const { values } = parseArgs({
    args: rest,
    options: {
      scale: { type: 'string', default: '3' },
      port: { type: 'string', default: process.env.PORT || '8080' },
      watch: { type: 'boolean', default: false },
    },
  });
  const scale = wholeNumber('--scale', values.scale);
  const bind = process.env.BIND || '127.0.0.1';
  const chaos = chaosSettings(bind, process.env);
  const stack = await Stack.start({
    name,
    scale,
    port: wholeNumber('--port', values.port, 65_535),
    bind,
    env: { ...process.env, ...chaos },
    report: (line) => console.log(line),
  });
  const commands = await listenForCommands(name, stack);
  const end = endOnce(async () => {
    commands.close();
    await stack.close();
  });
  if (values.watch) restartOnChange(stack);
  console.log(`ready ${stack.url} instances=${scale}`);
  if (stack.roomUrl) console.log(`for the room: ${stack.roomUrl}`);
  if (chaos.PRESENTER_KEY)
    console.log(`for the presenter: ${stack.url}/#key=${chaos.PRESENTER_KEY}`);
  console.log('Ctrl-C ends it. In a second terminal:  npm run stack');
  followParent(end);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

function wholeNumber(option: string, text: string, max = Number.MAX_SAFE_INTEGER): number {
  if (/^\d+$/.test(text) && Number(text) <= max) return Number(text);
  throw new UsageError(`${option} ${JSON.stringify(text)}: wants a whole number`);
}

/**
 * Ends the stack at the first signal; at a later one the guard ends it by force. Ctrl-C comes twice,
 * from the terminal and from npm, and is one signal all the same.
 */
function endOnce(close: () => Promise<void>): () => void {
  let since: number | undefined;
  const end = async () => {
    if (since !== undefined) {
      if (Date.now() - since > TWICE_MS) process.exit(1);
      return;
    }
    since = Date.now();
    console.log('ending ...');
    await close();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
  return end;
}

/** npm that is killed tells nobody; without this the stack would go on alone. */
function followParent(end: () => void): void {
  const parent = process.ppid;
  if (!process.env.npm_lifecycle_event) return;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, PARENT_MS);
}

/** npm run dev: replaces the instances when their code has changed; the first one shows whether it runs. */
function restartOnChange(stack: Stack): void {
  let timer: NodeJS.Timeout | undefined;
  let last = Promise.resolve();
  const restart = async (instance: Instance) => {
    if (instance.isRunning) await instance.stop();
    await instance.start();
  };
  const restartAll = async () => {
    const [first, ...others] = [...stack.instances, stack.dashboard];
    if (first) await restart(first);
    await Promise.all(others.map(restart));
    console.log('restarted the instances');
  };
  const onChange = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      last = last.then(restartAll).catch((err) => console.error(failure(err).text));
    }, QUIET_MS);
  };
  // Folder by folder: Node's recursive watch loses a file that an editor replaces.
  const watched = ['app', 'dashboard', 'shared'].map((name) => join(ROOT, 'services', name));
  for (const folder of watched) {
    watch(folder, onChange);
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) watch(join(entry.parentPath, entry.name), onChange);
    }
  }
}
