import { copyFileSync, globSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of a log. The previous ones stay in a second file, so a log takes twice as much. */
const MAX_BYTES = 8_000_000;
const POLL_MS = 1000;

/** Limits the size of the logs in a folder, until the timer that it returns is cleared. */
export function limitLogs(folder: string): NodeJS.Timeout {
  const timer = setInterval(() => {
    for (const name of globSync('*.log', { cwd: folder })) startAgainIfFull(join(folder, name));
  }, POLL_MS);
  return timer.unref();
}

/** The writers of the log go on, because they append to it. */
function startAgainIfFull(file: string): void {
  if (statSync(file).size <= MAX_BYTES) return;
  try {
    copyFileSync(file, `${file}.1`);
  } catch {
    // The disk is full. The earlier lines are lost.
  }
  truncateSync(file);
}
