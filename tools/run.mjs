// @ts-check
// The start of all npm scripts: node tools/run.mjs FILE|PROGRAM [ARGUMENT...]
// Installs what is missing, then runs a file of this project, or the program of a package. Plain
// JavaScript, because it runs on Node 20 too.
import { realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { endAll, start } from './lib/child.mjs';
import { failure, StackError } from './lib/errors.mjs';
import { installedNode, installNode, isNewEnough } from './lib/node.mjs';
import { installPackages, PRODUCTION_ONLY } from './lib/packages.mjs';
import { ON_WINDOWS } from './lib/programs.mjs';
import { ROOT } from './lib/root.mjs';
import { END_SIGNALS, eraseBanner, hasTerminal } from './lib/terminal.mjs';

/** Milliseconds between two checks whether npm, the parent process, is still there. */
const PARENT_MS = 500;

const [program = '', ...args] = process.argv.slice(2);
/** @type {NodeJS.Signals | undefined} */
let received;

eraseBanner();
if (process.platform === 'win32') {
  console.error(`This project does not run on Windows itself. ${ON_WINDOWS}`);
  process.exit(1);
}
followParent();
for (const signal of END_SIGNALS) process.on(signal, passOn);
if (isNewEnough()) {
  const dev = !PRODUCTION_ONLY.some((folder) => program.startsWith(folder));
  await orExit(installPackages(console.error, { dev }));
  for (const signal of END_SIGNALS) process.off(signal, passOn);
  const isFile = program.includes('/');
  const file = realpathSync(join(ROOT, isFile ? program : `node_modules/.bin/${program}`));
  process.argv = [process.execPath, file, ...args];
  await import(pathToFileURL(file).href);
} else {
  const { folder } = installedNode() ?? (await orExit(installNode(console.error).catch(tooOld)));
  const PATH = `${folder}${delimiter}${process.env.PATH}`;
  const own = fileURLToPath(import.meta.url);
  start(join(folder, 'node'), [own, program, ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH },
  })
    .on('exit', (code, signal) => end(signal ?? undefined, code ?? 1))
    .on('error', (err) => {
      throw err;
    });
}

/** npm that is killed passes no signal on. This process then ends, as by SIGTERM. */
function followParent() {
  const parent = process.ppid;
  if (!process.env.npm_lifecycle_event) return;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_MS);
  timer.unref();
  // Under nohup the end of the terminal ends npm, but not this process.
  if (!hasTerminal) process.once('SIGHUP', () => clearInterval(timer));
}

/** @param {NodeJS.Signals} signal */
async function passOn(signal) {
  received = signal;
  await endAll(signal);
  end(received);
}

/**
 * Ends this process as a child process ended.
 *
 * @param {NodeJS.Signals | undefined} signal
 */
function end(signal, code = 1) {
  if (!signal) process.exit(code);
  for (const name of END_SIGNALS) process.off(name, passOn);
  process.kill(process.pid, signal);
}

/** @returns {never} */
function tooOld() {
  throw new StackError(
    `This project needs Node 24 or later; this is Node ${process.version.slice(1)}. Install it ` +
      'from nodejs.org or your package manager, then run the command again.',
  );
}

/**
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
async function orExit(work) {
  try {
    return await work;
  } catch (err) {
    if (received) await new Promise(() => {}); // passOn ends this process
    const { text, exitCode } = failure(err);
    console.error(text);
    process.exit(exitCode);
  }
}
