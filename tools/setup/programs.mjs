// @ts-check
// The programs of this machine: where they are, what they say, and what installs a missing one.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Milliseconds within which a program must answer a question; a Docker client may wait for ever. */
const ANSWER_MS = 15_000;

/**
 * PATH as it is outside of npm, which puts the project's own Node before the one of this machine;
 * and what users other than root often lack in theirs. As in tools/stack/tools.ts.
 */
export const FOLDERS = [
  ...(process.env.PATH ?? '').split(delimiter).filter((folder) => !/node_modules/.test(folder)),
  ...['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'],
];

/** What to type for each, by package manager. */
const INSTALL = {
  'apt-get': {
    stack: 'sudo apt-get install redis-server nginx',
    docker: 'sudo apt-get install docker.io docker-compose-v2  (Debian: docker.io docker-compose)',
    chromium: 'sudo apt-get install chromium',
    node: 'nvm install 24  (what apt-get has may be too old)',
  },
  dnf: {
    stack: 'sudo dnf install valkey nginx',
    docker: 'sudo dnf install moby-engine docker-compose',
    chromium: 'sudo dnf install chromium',
    node: 'nvm install 24',
  },
  apk: {
    stack: 'sudo apk add redis nginx',
    docker: 'sudo apk add docker docker-cli-compose',
    chromium: 'sudo apk add chromium',
    node: 'sudo apk add nodejs npm',
  },
  brew: {
    stack: 'brew install redis nginx',
    docker: 'brew install --cask docker, then open it once',
    chromium: 'brew install --cask google-chrome',
    node: 'brew install node',
  },
};

/** @typedef {'stack' | 'docker' | 'chromium' | 'node'} Wanted */

/**
 * What installs something here: one command, or all of them where no package manager is known.
 *
 * @param {Wanted} wanted `stack` is nginx and Redis
 */
export function howToInstall(wanted, folders = FOLDERS) {
  const here = Object.entries(INSTALL).find(([manager]) => findProgram(manager, folders));
  if (here) return here[1][wanted];
  return Object.values(INSTALL)
    .map((commands) => commands[wanted])
    .join('  or  ');
}

/**
 * Where a program is; `undefined` where it is in none of the folders.
 *
 * @param {string} name
 */
export function findProgram(name, folders = FOLDERS) {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What the Linux kernel of WSL calls itself. */
export function isWsl() {
  return existsSync('/proc/version') && /microsoft/i.test(readFileSync('/proc/version', 'utf8'));
}

/**
 * What a program answers, without the environment of npm. Never throws.
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
    shell: process.platform === 'win32', // npm is a script there
  });
  const said = (stderr || error?.message || '').trim();
  return { ok: status === 0, stdout: (stdout ?? '').trim(), said };
}

/** Something that cannot be done. The message is one line for whoever asked. */
export class CannotDo extends Error {
  /** @override */
  name = 'CannotDo';
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

/** Ends what {@link start} has started, and resolves when it has ended. */
export async function endAll() {
  const ended = [...running].map((child) => new Promise((resolve) => child.on('close', resolve)));
  for (const child of running) child.kill();
  await Promise.all(ended);
}

/**
 * Waits for the end of a program.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} what what it was to do, for the message
 * @returns {Promise<string>} what it wrote to standard output
 * @throws {CannotDo} where it fails, with the last line that it wrote
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
    child.on('error', (err) => reject(new CannotDo(`${what}: ${err.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(stdout);
      const reason = lastWords(stderr) || (signal ?? `exit code ${code}`);
      reject(new CannotDo(`${what} failed: ${reason}`));
    });
  });
}

/**
 * The line that says why: of npm the first after its codes, of all others the last.
 *
 * @param {string} stderr
 */
function lastWords(stderr) {
  const lines = stderr.trim().split('\n');
  const npm = lines.find((line) => /^npm error (?!code|errno|syscall|path|command)/.test(line));
  return npm?.replace(/^npm error (notarget |network )?/, '') ?? lines.at(-1);
}

/** A number of bytes as megabytes, rounded up. */
export const megabytes = (/** @type {number} */ bytes) => Math.ceil(bytes / 1e6);
