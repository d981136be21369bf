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
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identityOf } from './processes.mjs';

/** Milliseconds between two attempts to take a lock. */
const POLL_MS = 100;

/**
 * Runs `work` while no other process of this machine holds the same lock. A lock is a folder with
 * one file: the name identifies the holder, the content the npm that it has started. A lock without
 * a living process is free.
 *
 * @template T
 * @param {string} folder the lock; its parent folder exists
 * @param {(line: string) => void} report
 * @param {(tell: (child: import('node:child_process').ChildProcess) => void) => Promise<T>} work
 *   calls `tell` with each npm that it starts, because npm may live longer than the holder
 * @returns {Promise<T>}
 */
export async function withLock(folder, report, work) {
  const file = join(folder, identityOf(process.pid) ?? '');
  for (let reported = false; ; reported = true) {
    const holder = takeLock(folder, file);
    if (holder === undefined) break;
    if (!reported) report(`Waiting for process ${holder.split('-')[0]}, which installs the same …`);
    await delay(POLL_MS);
  }
  try {
    return await work(({ pid = 0 }) => writeFileSync(file, identityOf(pid) ?? ''));
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
 * @returns {string | undefined} the holder if it is another process
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
  writeFileSync(join(prepared, basename(file)), '');
  try {
    renameSync(prepared, folder); // replaces an empty folder, but no other
    return undefined;
  } catch {
    rmSync(prepared, { recursive: true });
    return readdirSync(folder)[0] ?? 'unknown';
  }
}

/** @param {string[]} identities */
function isHeldBy(...identities) {
  return identities.some((its) => its !== '' && identityOf(Number.parseInt(its, 10)) === its);
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
