// @ts-check
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { listProcesses } from './processes.mjs';

/** Milliseconds between two attempts to take a lock. */
const POLL_MS = 100;
/** Only these programs hold locks. Any other process has just the pid of a dead holder. */
const HOLDER = /\bnpm\b|tools\/(run\.mjs|setup\/)/;

/**
 * Runs `work` while no other process of this machine holds the same lock. A lock is a folder with
 * one file: the name is the holder's pid, the content the pid of the npm that it has started.
 * A lock without a living process is free.
 *
 * @template T
 * @param {string} folder the lock; its parent folder exists
 * @param {(line: string) => void} report
 * @param {(tell: (child: import('node:child_process').ChildProcess) => void) => Promise<T>} work
 *   calls `tell` with each npm that it starts, because npm may live longer than the holder
 * @returns {Promise<T>}
 */
export async function withLock(folder, report, work) {
  const file = join(folder, String(process.pid));
  for (let reported = false; ; reported = true) {
    const holder = takeLock(folder, file);
    if (holder === undefined) break;
    if (!reported) report(`Waiting for process ${holder}, which installs the same …`);
    await delay(POLL_MS);
  }
  try {
    return await work(({ pid }) => writeFileSync(file, String(pid)));
  } finally {
    rmSync(file);
    ignoreErrors(() => rmdirSync(folder)); // not empty if the next process has the lock already
  }
}

/**
 * Each step is one rename, which succeeds for one process only.
 *
 * @param {string} folder
 * @param {string} file
 * @returns {string | undefined} the pid of the holder if it is another process
 */
function takeLock(folder, file) {
  const [holder] = ignoreErrors(() => readdirSync(folder)) ?? [];
  if (holder !== undefined) {
    const old = join(folder, holder);
    const child = ignoreErrors(() => readFileSync(old, 'utf8'));
    if (child === undefined || isHeldBy(holder, child)) return holder;
    return ignoreErrors(() => renameSync(old, file) ?? true) ? undefined : holder;
  }
  const prepared = mkdtempSync(`${folder}-`);
  writeFileSync(join(prepared, String(process.pid)), '');
  try {
    renameSync(prepared, folder); // replaces an empty folder, but no other
    return undefined;
  } catch {
    rmSync(prepared, { recursive: true });
    return readdirSync(folder)[0] ?? 'unknown';
  }
}

/** @param {string[]} pids */
function isHeldBy(...pids) {
  const processes = listProcesses();
  return pids
    .map(Number)
    .some((pid) => pid !== process.pid && HOLDER.test(processes.get(pid)?.command ?? ''));
}

/**
 * @template T
 * @param {() => T} action
 * @returns {T | undefined}
 */
function ignoreErrors(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}
