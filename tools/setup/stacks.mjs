// @ts-check
// The native stacks of this user, and what crashed ones have left.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listProcesses } from '../lib/processes.mjs';
import { ROOT } from '../lib/root.mjs';
import { launcherOf, STACKS } from '../lib/stack-folder.mjs';

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
  if (!existsSync(STACKS)) return [];
  return readdirSync(STACKS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.includes('.')) // name.lock
    .map(({ name }) => describe(name, join(STACKS, name)))
    .sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * @param {string} name
 * @param {string} folder
 * @returns {FoundStack}
 */
function describe(name, folder) {
  const [, port = 0] = /:(\d+);/.exec(read(join(folder, 'nginx/site/listen.conf'))) ?? [];
  const found = { name, folder, ...(port && { port: Number(port) }) };
  const { pid, root } = launcherOf(folder) ?? {};
  if (pid === undefined) return { ...found, kind: 'left over' };
  const isTest = listProcesses().get(pid)?.command.includes('vitest');
  const kind = root === ROOT ? 'ours' : 'other checkout';
  return { ...found, kind: isTest ? 'test' : kind, launcher: pid };
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
