import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { quoted, StackError, UsageError } from '../lib/errors.mjs';
import { eventually } from '../lib/eventually.ts';
import { withLock } from '../lib/lock.mjs';
import { identityOf, processesIn } from '../lib/processes.mjs';
import { ROOT } from '../lib/root.mjs';
import { launcherOf, STACKS } from '../lib/stack-folder.mjs';

/** The name of a stack that is started without `--name`. */
export const DEFAULT_NAME = 'default';

/** The option of every command that concerns one stack. */
export const NAME_OPTION = { type: 'string', default: DEFAULT_NAME } as const;

/** The longest path of a Unix socket on macOS; Linux allows four bytes more. */
const MAX_SOCKET_PATH = 103;
/** Milliseconds for a watchdog to end the processes of a launcher that has just died. */
const WATCHDOG_MS = 3000;
/** The files of a stack take a few megabytes, and more with each session. */
const MIN_FREE_BYTES = 10_000_000;
/** If nginx runs as root, its workers run as another user and still open files in here. */
const FOLDER_MODE = process.getuid?.() === 0 ? 0o711 : 0o700;

/**
 * The folder that holds every file of a stack.
 *
 * @throws {UsageError} if the name is invalid
 */
export function stackFolder(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,19}$/.test(name)) {
    const expected = 'up to 20 lowercase letters, digits and hyphens';
    throw new UsageError(`\`--name\` expects ${expected}, not ${quoted(name)}.`);
  }
  return join(STACKS, name);
}

/** The Unix socket on which a stack accepts commands. */
export function controlSocket(name: string): string {
  return join(stackFolder(name), 'control.sock');
}

/**
 * Creates the folder of a stack. It replaces the folder of a stack whose launcher has died.
 *
 * @param kept the entry with the data of Redis, if it is to stay
 * @throws {StackError} if a stack of that name is running, or the folder is not safe
 */
export async function createStackFolder(name: string, kept?: string): Promise<string> {
  const folder = stackFolder(name);
  if (Buffer.byteLength(controlSocket(name)) > MAX_SOCKET_PATH) {
    throw new StackError(
      `The path ${STACKS} is too long; set TMPDIR to a folder with a short path.`,
    );
  }
  makePrivate(STACKS);
  const { bavail, bsize } = statfsSync(STACKS);
  if (bavail * bsize < MIN_FREE_BYTES) {
    const free = `The disk of ${STACKS} is full: it has ${Math.floor((bavail * bsize) / 1e6)} MB left`;
    throw new StackError(`${free}; delete files there, or set TMPDIR to another folder.`);
  }
  return withLock(
    `${folder}.lock`,
    () => {},
    async () => {
      if (launcherOf(folder)) {
        throw new StackError(
          `A stack named "${name}" is already running; stop it with Ctrl-C or choose another \`--name\`.`,
        );
      }
      makePrivate(folder);
      await eventually(() => {
        if (processesIn(folder).length === 0) return;
        throw new StackError(
          `An earlier stack named "${name}" has not ended; use \`npm run reset\`.`,
        );
      }, WATCHDOG_MS);
      const old = readdirSync(folder).filter((entry) => entry !== kept);
      for (const entry of old) rmSync(join(folder, entry), { recursive: true });
      const launcher = `${identityOf(process.pid)}\n${ROOT}`;
      writeFileSync(join(folder, 'launcher'), launcher, { mode: 0o600 });
      return folder;
    },
  );
}

/** Makes a folder that only this user can read. @throws {StackError} */
function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const entry = lstatSync(folder);
  if (!entry.isDirectory() || entry.uid !== process.getuid?.()) {
    throw new StackError(`${folder} belongs to another user; set TMPDIR to a folder of your own.`);
  }
  chmodSync(folder, FOLDER_MODE); // with any umask
}
