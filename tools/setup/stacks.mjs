// @ts-check
// The native stacks of this user: which run, who started them, and what is left of others.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, ROOT } from './programs.mjs';

/**
 * @typedef {object} FoundStack
 * @property {string} name
 * @property {string} folder
 * @property {number} [port] of its nginx
 * @property {'ours' | 'a test' | 'another' | 'left over'} kind `another`: of another checkout;
 *   `left over`: nobody looks after it any more
 * @property {number} [launcher] the pid of who runs it
 */

/** @typedef {{ppid: number, command: string}} Process */

/**
 * All stacks in the folder for temporary files, as tools/stack/stack.ts names them.
 *
 * @returns {FoundStack[]}
 */
export function findStacks() {
  const prefix = `shared-state-${process.getuid?.() ?? 0}-`;
  const processes = listProcesses();
  return readdirSync(tmpdir(), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix))
    .map(({ name }) => describe(name.slice(prefix.length), join(tmpdir(), name), processes))
    .sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * Each stack has a watchdog, whose command line names the folder and whose parent is the launcher.
 * A pid in a file alone may be anybody's by now.
 *
 * @param {string} name
 * @param {string} folder
 * @param {Map<number, Process>} processes
 * @returns {FoundStack}
 */
function describe(name, folder, processes) {
  const port = portOf(folder);
  const found = { name, folder, ...(port && { port }) };
  const written = Number(read(join(folder, 'launcher.pid')));
  const watchdog = [...processes.values()].find(({ command }) =>
    command.endsWith(`tools/stack/watchdog.sh ${folder}`),
  );
  const launcher = processes.get(watchdog?.ppid ?? written);
  if (watchdog && launcher && watchdog.ppid === written) {
    if (/vitest/.test(launcher.command)) return { ...found, kind: 'a test', launcher: written };
    const isOurs = watchdog.command.includes(` ${ROOT}tools/stack/watchdog.sh `);
    return { ...found, kind: isOurs ? 'ours' : 'another', launcher: written };
  }
  // Without its watchdog a stack still has its launcher; of which checkout, nobody knows.
  if (launcher?.command.includes('tools/stack/main.ts')) {
    return { ...found, kind: 'another', launcher: written };
  }
  return { ...found, kind: 'left over' };
}

/** @param {string} folder */
function portOf(folder) {
  const [, port] = /:(\d+);/.exec(read(join(folder, 'nginx/site/listen.conf'))) ?? [];
  return Number(port ?? 0);
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** @param {number} pid */
export function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (err) {
    return /** @type {NodeJS.ErrnoException} */ (err).code === 'EPERM';
  }
}

/**
 * The processes that work in a folder, or below it as Redis does: what a launcher and a watchdog leave that were both killed.
 *
 * @param {string} folder
 * @returns {number[]} pids
 */
export function processesIn(folder) {
  if (existsSync('/proc/self/cwd')) {
    return pidsOfProc().filter((pid) => {
      try {
        return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
      } catch {
        return false; // it has ended, or is another user's
      }
    });
  }
  return ask('lsof', ['-a', '-t', '-d', 'cwd', '+D', folder])
    .stdout.split('\n')
    .filter(Boolean)
    .map(Number);
}

function pidsOfProc() {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

/**
 * All processes by pid. From /proc where there is one, since small systems have no `ps`.
 *
 * @returns {Map<number, Process>}
 */
export function listProcesses() {
  const processes = new Map();
  if (existsSync('/proc/self/stat')) {
    for (const pid of pidsOfProc()) {
      const command = read(`/proc/${pid}/cmdline`).replace(/\0$/, '').replaceAll('\0', ' ');
      // The name in it may hold anything, so what follows is counted from its closing bracket.
      const [, ppid] = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
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
