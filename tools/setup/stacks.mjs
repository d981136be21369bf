// @ts-check
// The native stacks of this user, and what crashed ones have left.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { listProcesses } from '../lib/processes.mjs';
import { ROOT } from '../lib/root.mjs';
import { STACK_FOLDER } from '../lib/stack-folder.mjs';

const WATCHDOG = 'tools/stack/watchdog.sh';

/**
 * @typedef {object} FoundStack
 * @property {string} name
 * @property {string} folder
 * @property {number} [port] of its nginx
 * @property {'ours' | 'test' | 'other checkout' | 'left over'} kind `left over`: its launcher is dead
 * @property {number} [launcher] its pid
 */

/** @returns {FoundStack[]} */
export function findStacks() {
  const parent = dirname(STACK_FOLDER);
  const prefix = basename(STACK_FOLDER);
  const processes = listProcesses();
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix))
    .map(({ name }) => describe(name.slice(prefix.length), join(parent, name), processes))
    .sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * The command line of a watchdog names the folder, and its parent is the launcher. The pid in the
 * folder alone proves nothing: another process may have it now.
 *
 * @param {string} name
 * @param {string} folder
 * @param {ReturnType<typeof listProcesses>} processes
 * @returns {FoundStack}
 */
function describe(name, folder, processes) {
  const [, port = 0] = /:(\d+);/.exec(read(join(folder, 'nginx/site/listen.conf'))) ?? [];
  const launcher = Number(read(join(folder, 'launcher.pid')));
  const found = { name, folder, ...(port && { port: Number(port) }) };
  const watchdog = [...processes.values()].find(({ command }) =>
    command.endsWith(`${WATCHDOG} ${folder}`),
  );
  const { command = '' } = processes.get(watchdog?.ppid ?? launcher) ?? {};
  if (command && watchdog?.ppid === launcher) {
    if (command.includes('vitest')) return { ...found, kind: 'test', launcher };
    const isOurs = watchdog.command.includes(` ${ROOT}${WATCHDOG} `);
    return { ...found, kind: isOurs ? 'ours' : 'other checkout', launcher };
  }
  // The watchdog was killed; only its command line says which checkout the stack belongs to.
  if (command.includes('tools/stack/main.ts')) {
    return { ...found, kind: 'other checkout', launcher };
  }
  return { ...found, kind: 'left over' };
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
