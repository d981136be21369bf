import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError, UsageError } from '../lib/errors.mjs';
import { STACK_FOLDER } from '../lib/stack-folder.mjs';

/** The name of a stack that is started without `--name`. */
export const DEFAULT_NAME = 'default';

/** The option of every command that concerns one stack. */
export const NAME_OPTION = { type: 'string', default: DEFAULT_NAME } as const;

/**
 * The folder that holds every file of a stack.
 *
 * @throws {UsageError} if the name is invalid
 */
export function stackFolder(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,19}$/.test(name)) {
    const expected = 'up to 20 lowercase letters, digits and hyphens';
    throw new UsageError(`\`--name\` expects ${expected}, not ${JSON.stringify(name)}.`);
  }
  return STACK_FOLDER + name;
}

/** The Unix socket on which a stack accepts commands. */
export function controlSocket(name: string): string {
  return join(stackFolder(name), 'control.sock');
}

/**
 * Creates the folder of a stack. It replaces a folder whose launcher has died.
 *
 * @throws {StackError} if a stack of that name is running
 */
export function createStackFolder(name: string): string {
  const folder = stackFolder(name);
  const pidFile = join(folder, 'launcher.pid');
  if (isAlive(pidFile)) {
    throw new StackError(
      `A stack named "${name}" is already running; stop it with Ctrl-C or choose another \`--name\`.`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
  // If nginx runs as root, its workers run as another user and still open files in here.
  mkdirSync(folder, { mode: 0o711 });
  writeFileSync(pidFile, String(process.pid));
  return folder;
}

function isAlive(pidFile: string): boolean {
  try {
    return process.kill(Number(readFileSync(pidFile, 'utf8')), 0);
  } catch {
    return false;
  }
}
