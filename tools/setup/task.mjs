// @ts-check
// What the programs for the preparation have in common: how they end, and what they leave.
import { mkdtempSync, rmSync } from 'node:fs';
import { CannotDo, endAll } from './programs.mjs';

/** @type {Set<string>} */
const folders = new Set();

/**
 * Makes a folder that is gone when the task ends, however it does.
 *
 * @param {string} prefix the path that its name begins with
 */
export function temporaryFolder(prefix) {
  const folder = mkdtempSync(prefix);
  folders.add(folder);
  return folder;
}

function removeFolders() {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/**
 * Runs a task with the words that were typed. What it cannot do it tells in one line, exit code 1;
 * words that mean nothing are answered with 2. At Ctrl-C it ends what it started, and tidies up.
 *
 * @param {string} usage what `--help` prints
 * @param {(words: string[]) => Promise<void>} task
 */
export async function runTask(usage, task) {
  const words = process.argv.slice(2);
  if (words.includes('--help')) {
    console.log(usage);
    return;
  }
  let interrupted = false;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, async () => {
      interrupted = true;
      await endAll();
      removeFolders();
      process.exit(130);
    });
  }
  try {
    await task(words);
  } catch (err) {
    // What fails because it was ended is no news.
    if (interrupted) return;
    const { code, message, stack } = /** @type {NodeJS.ErrnoException} */ (err);
    const misused = code?.startsWith('ERR_PARSE_ARGS') || err instanceof UsageError;
    const expected = misused || err instanceof CannotDo;
    console.error(expected ? message : stack);
    if (misused) console.error(usage);
    process.exitCode = misused ? 2 : 1;
    await endAll();
  }
  removeFolders();
}

/** Words that mean nothing here. */
export class UsageError extends Error {
  /** @override */
  name = 'UsageError';
}
