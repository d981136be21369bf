// @ts-check
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { ask } from './child.mjs';

/** @typedef {{ppid: number, command: string}} Process */

/**
 * Sends a signal if possible.
 *
 * @param {number} pid
 * @param {NodeJS.Signals | 0} name
 * @returns {boolean} whether the process is alive; it may belong to another user
 */
export function signal(pid, name) {
  try {
    return process.kill(pid, name);
  } catch (err) {
    return /** @type {NodeJS.ErrnoException} */ (err).code === 'EPERM';
  }
}

/** @param {number} pid */
export function isAlive(pid) {
  return signal(pid, 0);
}

/**
 * Identifies a living process: by its pid, and by its start, because another process may have the
 * pid later.
 *
 * @param {number} pid
 * @returns {string | undefined} `undefined` if there is none
 */
export function identityOf(pid) {
  if (existsSync('/proc/self/stat')) {
    const [state, ...fields] = statOf(pid);
    return state && state !== 'Z' ? `${pid}-${fields[18]}` : undefined; // Z: it has ended
  }
  const ps = ['LC_ALL=C', 'TZ=UTC', 'ps', '-o', 'lstart=', '-p', String(pid)];
  const start = ask('env', ps).stdout.replaceAll(/\W+/g, '-');
  return start ? `${pid}-${start}` : undefined;
}

/**
 * All processes by pid. From /proc if possible: small systems have no `ps`. The command line of a
 * process that has ended, but still has its pid, is empty.
 *
 * @returns {Map<number, Process>}
 */
export function listProcesses() {
  const processes = new Map();
  if (existsSync('/proc/self/stat')) {
    for (const pid of pidsOfProc()) {
      const command = read(`/proc/${pid}/cmdline`).replace(/\0$/, '').replaceAll('\0', ' ');
      const [, ppid] = statOf(pid);
      if (ppid) processes.set(pid, { ppid: Number(ppid), command });
    }
    return processes;
  }
  for (const line of ask('ps', ['-Axww', '-o', 'pid=,ppid=,command=']).stdout.split('\n')) {
    const [, pid, ppid, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    if (pid) processes.set(Number(pid), { ppid: Number(ppid), command: command ?? '' });
  }
  return processes;
}

/**
 * The processes whose current folder is `folder` or one below it, as that of Redis is.
 *
 * @param {string} folder
 * @returns {number[]} pids
 */
export function processesIn(folder) {
  if (!existsSync('/proc/self/cwd')) {
    const { stdout } = ask('lsof', ['-a', '-t', '-d', 'cwd', '+D', folder]);
    return stdout.split('\n').filter(Boolean).map(Number);
  }
  return pidsOfProc().filter((pid) => {
    try {
      return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
    } catch {
      return false; // the process has ended, or belongs to another user
    }
  });
}

/**
 * The fields of `/proc/PID/stat` after the name, which may hold anything, brackets too.
 *
 * @param {number} pid
 */
function statOf(pid) {
  return read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
}

function pidsOfProc() {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
