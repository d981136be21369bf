// @ts-check
// Child processes of the tools.
import { spawn, spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';
import { StackError } from './errors.mjs';
import { FOLDERS } from './programs.mjs';
import { ROOT } from './root.mjs';

/** Milliseconds; a Docker client may wait forever for its engine. */
const ANSWER_MS = 15_000;

/** npm is a script on Windows, which only a shell runs. */
const shell = process.platform === 'win32';

/**
 * Runs a program to its end, outside of npm's environment. Never throws.
 *
 * @param {string} file
 * @param {string[]} args
 */
export function ask(file, args, cwd = ROOT) {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd,
    encoding: 'utf8',
    timeout: ANSWER_MS,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, PATH: FOLDERS.join(delimiter) },
    shell,
  });
  const said = (stderr || error?.message || '').trim();
  return { ok: status === 0, stdout: (stdout ?? '').trim(), said };
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Starts a program that {@link endAll} ends.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 */
export function start(file, args, options) {
  const child = spawn(file, args, options);
  running.add(child);
  for (const event of ['close', 'error']) child.on(event, () => running.delete(child));
  return child;
}

/**
 * Ends all programs of {@link start}. Resolves when they have ended.
 *
 * @param {NodeJS.Signals} [signal]
 */
export async function endAll(signal) {
  const ended = [...running].map((child) => new Promise((resolve) => child.on('close', resolve)));
  for (const child of running) child.kill(signal);
  await Promise.all(ended);
}

/**
 * Waits for the end of a program.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} what the name of the program in error messages
 * @returns {Promise<string>} its standard output
 * @throws {StackError} if it fails, with the line of its output that gives the reason
 */
export function ended(child, what) {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (text) => {
      stdout += text;
    });
    child.stderr?.on('data', (text) => {
      stderr = (stderr + text).slice(-10_000);
    });
    child.on('error', (err) => reject(new StackError(`${what}: ${err.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(stdout);
      const reason = reasonIn(stderr) || (signal ?? `exit code ${code}`);
      reject(new StackError(`${what} failed: ${reason}`));
    });
  });
}

/**
 * npm gives the reason in its first line after some codes; other programs in their last line.
 *
 * @param {string} stderr
 */
function reasonIn(stderr) {
  const lines = stderr.trim().split('\n');
  const npm = lines.find((line) => /^npm error (?!code|errno|syscall|path|command)/.test(line));
  return npm?.replace(/^npm error (notarget |network )?/, '') ?? lines.at(-1);
}

/**
 * Runs a program to its end.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @param {(child: import('node:child_process').ChildProcess) => void} [started]
 * @returns {Promise<string>} its standard output
 * @throws {StackError} if it fails
 */
export function run(file, args, options, started) {
  const child = start(file, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  started?.(child);
  return ended(child, nameOf(file, args));
}

/**
 * Runs npm quietly.
 *
 * @type {(args: string[], cwd?: string, started?: Parameters<typeof run>[3]) => Promise<string>}
 */
export function runNpm(args, cwd = ROOT, started) {
  // As arguments, because npm passes its own settings on to its scripts as variables.
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--logs-max=0'];
  return run('npm', [...args, ...quiet], { cwd, shell }, started);
}

/**
 * Runs two programs; the output of the first one is the input of the second.
 *
 * @param {string[]} from
 * @param {string[]} to
 * @throws {StackError} if one fails
 */
export async function pipe([from = '', ...fromArgs], [to = '', ...toArgs]) {
  const source = start(from, fromArgs, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const sink = start(to, toArgs, { stdio: ['pipe', 'ignore', 'pipe'] });
  const both = [ended(sink, nameOf(to, toArgs)), ended(source, nameOf(from, fromArgs))];
  sink.stdin?.on('error', () => {}); // `ended` reports why the program has ended
  sink.on('close', () => source.stdout?.destroy()); // or the source waits forever for a reader
  if (source.stdout && sink.stdin) source.stdout.pipe(sink.stdin);
  await Promise.all(both);
}

/**
 * The words of a command line before its options.
 *
 * @param {string} file
 * @param {string[]} args
 */
function nameOf(file, args) {
  const options = args.findIndex((arg) => arg.startsWith('-'));
  return [file, ...args.slice(0, options < 0 ? undefined : options)].join(' ');
}
