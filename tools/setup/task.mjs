// @ts-check
// The frame of the commands in this folder: usage, errors, signals, temporary folders.
import { mkdtempSync, rmSync } from 'node:fs';
import { endAll } from '../lib/child.mjs';
import { failure } from '../lib/errors.mjs';
import { END_SIGNALS, eraseBanner } from '../lib/terminal.mjs';

/** @type {Set<string>} */
const folders = new Set();

/**
 * Creates a folder that is removed when the task ends.
 *
 * @param {string} prefix the start of its path
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
 * Runs a task with the arguments of the command line. At Ctrl-C it ends what the task has started.
 *
 * @param {string} usage what `--help` prints
 * @param {(args: string[]) => Promise<void>} task
 */
export async function runTask(usage, task) {
  eraseBanner();
  const args = process.argv.slice(2);
  if (args.includes('--help')) return console.log(usage);
  let interrupted = false;
  for (const signal of END_SIGNALS) {
    process.on(signal, async () => {
      interrupted = true;
      await endAll();
      removeFolders();
      process.exit(130);
    });
  }
  try {
    await task(args);
  } catch (err) {
    if (interrupted) return; // the signal caused the error
    const { text, exitCode } = failure(err);
    console.error(text);
    if (exitCode === 2) console.error(usage);
    process.exitCode = exitCode;
    await endAll();
  }
  removeFolders();
}
