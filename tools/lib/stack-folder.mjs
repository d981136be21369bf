// @ts-check
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { identityOf } from './processes.mjs';

/** The folder for the stacks of this user. Each has a folder in it, which is named like the stack. */
export const STACKS = resolve(tmpdir(), `shared-state-${process.getuid?.() ?? 0}`);

/**
 * The living launcher of a stack, which has written its identity and its checkout into the folder.
 *
 * @param {string} folder
 * @returns {{pid: number, root: string} | undefined}
 */
export function launcherOf(folder) {
  try {
    const [identity = '', root = ''] = readFileSync(join(folder, 'launcher'), 'utf8').split('\n');
    const pid = Number.parseInt(identity, 10);
    return identityOf(pid) === identity ? { pid, root } : undefined;
  } catch {
    return undefined;
  }
}
