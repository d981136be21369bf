// @ts-check
// Checks of the machine and its networks: port, memory, disk, and the address for the audience.
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { freemem, networkInterfaces, tmpdir } from 'node:os';
import { ask } from '../lib/child.mjs';
import { quoted } from '../lib/errors.mjs';
import { listenProblem } from '../lib/listen.mjs';
import { lanAddress } from '../lib/network.mjs';
import { isWsl, ON_WINDOWS } from '../lib/programs.mjs';
import { ROOT } from '../lib/root.mjs';
import { PROJECT } from './docker.mjs';
import { megabytes } from './requirements.mjs';
import { findStacks } from './stacks.mjs';

/** @typedef {import('./checks.mjs').Finding} Finding */
/** @typedef {import('./requirements.mjs').Requirements} Requirements */

/** @type {import('./checks.mjs').Way[]} */
const BOTH = ['natively', 'in containers'];

/** @returns {Finding} */
export function checkSystem(platform = process.platform, wsl = isWsl()) {
  const name = 'system';
  if (platform === 'win32') {
    return { name, found: 'Windows, outside of WSL', fix: ON_WINDOWS, blocks: ['natively'] };
  }
  const system = { darwin: 'macOS', linux: wsl ? 'Linux in WSL' : 'Linux' }[String(platform)];
  return { name, found: `${system ?? platform}, ${process.arch}` };
}

/**
 * Checks the port and the address of nginx.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./docker.mjs').Docker} docker
 * @returns {Promise<Finding>}
 */
export async function checkPort(env, docker) {
  const name = 'port';
  const text = env.HTTP_PORT || '8080';
  const host = env.BIND || '127.0.0.1';
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    const fix = 'unset HTTP_PORT, or set it to a number from 0 to 65535';
    return { name, found: `HTTP_PORT=${quoted(text)} is not a port`, fix, blocks: BOTH };
  }
  if (port === 0) return { name, found: 'any free one' };
  const problem = await listenProblem(port, host);
  if (!problem) return { name, found: `${port} is free on ${host}` };
  const { fix, isPortInUse } = problem;
  if (!isPortInUse) return { name, found: problem.found, fix, blocks: BOTH };
  const stack = findStacks().find((its) => its.port === port && its.kind !== 'left over');
  const container = docker.engine ? containerAt(port) : undefined;
  if (stack || container?.startsWith(`${PROJECT}-`)) {
    const user = stack ? `the stack "${stack.name}"` : `the container ${container}`;
    const found = `${problem.found} by ${user} of this project`;
    const command = stack && stack.kind !== 'ours' ? `kill ${stack.launcher}` : 'npm run reset';
    return { name, found, fix: `to end it: ${command}` };
  }
  const user = container ? `the container ${container}` : listenerOf(port);
  const found = `${problem.found}${user ? ` by ${user}` : ''}`;
  return { name, found, fix, blocks: BOTH };
}

/** @param {number} port */
function containerAt(port) {
  const args = ['ps', '--filter', `publish=${port}`, '--format', '{{.Names}}'];
  return ask('docker', args).stdout.split('\n')[0] || undefined;
}

/**
 * The program that listens on a port. Users other than root see only their own programs.
 *
 * @param {number} port
 */
function listenerOf(port) {
  const { stdout } = ask('ss', ['-Hltnp', `sport = :${port}`]);
  const [, program, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout) ?? [];
  if (program) return `${program}, pid ${pid}`;
  const { stdout: fields } = ask('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']);
  const [, its, command] = /^p(\d+)\nc(.+)$/m.exec(fields) ?? [];
  return command && `${command}, pid ${its}`;
}

/** Bytes of memory that new programs can use. */
export function freeMemory() {
  if (existsSync('/proc/meminfo')) {
    const meminfo = readFileSync('/proc/meminfo', 'utf8');
    const [, kilobytes] = /^MemAvailable:\s+(\d+)/m.exec(meminfo) ?? [];
    if (kilobytes) return Number(kilobytes) * 1024;
  }
  if (process.platform !== 'darwin') return freemem();
  // freemem() leaves out the caches that macOS gives up on demand.
  const { stdout } = ask('vm_stat', []);
  const [, size = 0] = /page size of (\d+)/.exec(stdout) ?? [];
  const pages = [...stdout.matchAll(/^Pages (?:free|inactive|purgeable|speculative):\s+(\d+)/gm)];
  return pages.reduce((sum, [, count]) => sum + Number(count) * Number(size), 0) || freemem();
}

/**
 * @param {Requirements} requirements
 * @param {number} bytes that are free
 * @returns {Finding}
 */
export function checkMemory({ native, containers }, bytes) {
  const name = 'memory';
  const free = megabytes(bytes);
  const required = Math.max(native.memoryMB, containers.memoryMB);
  if (free >= required) return { name, found: `${free} MB free` };
  const found = `${free} MB free, ${required} MB required`;
  return { name, found, fix: 'end other programs, or run fewer instances: npm start -- --scale 2' };
}

/**
 * Checks the disks of the checkout, of temporary files and of Docker. Often they are the same.
 *
 * @param {Requirements} requirements
 * @param {{packages: boolean, images: boolean}} missing what must still be installed
 * @returns {Finding[]}
 */
export function checkDisk({ native, containers }, missing, freeIn = freeDisk) {
  /** @type {(name: string, folder: string, required: number, way: typeof BOTH[number]) => Finding} */
  const check = (name, folder, required, way) => {
    const free = megabytes(freeIn(folder));
    if (free >= required) return { name, found: `${free} MB free at ${folder}` };
    const found = `${free} MB free at ${folder}, ${required} MB required`;
    return { name, found, fix: 'delete files there', blocks: [way] };
  };
  const findings = [
    check('disk', ROOT, missing.packages ? native.diskMB : native.runDiskMB, 'natively'),
    check('temporary files', tmpdir(), native.runDiskMB, 'natively'),
  ];
  if (!missing.images) return findings;
  const root = ask('docker', ['info', '--format', '{{.DockerRootDir}}']).stdout;
  if (!existsSync(root)) return findings; // it is inside the virtual machine of Docker Desktop
  return [...findings, check("Docker's disk", root, containers.diskMB, 'in containers')];
}

/** @param {string} folder */
function freeDisk(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/**
 * Checks how an audience reaches this machine.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {ReturnType<typeof networkInterfaces>} networks
 * @returns {Finding}
 */
export function checkAudience(env, networks = networkInterfaces(), wsl = isWsl()) {
  const name = 'audience';
  if (env.PUBLIC_URL) return { name, found: `${env.PUBLIC_URL}, from PUBLIC_URL` };
  const address = lanAddress(networks);
  if (!address) {
    const found = 'no network: the stack works, but only on this machine';
    return { name, found, fix: 'start a hotspot here or on a phone; it needs no internet' };
  }
  const url = `http://${address}:${env.HTTP_PORT || '8080'}`;
  if (!wsl) return { name, found: `${url}  (BIND=0.0.0.0 npm start)` };
  const found = `${url} works on this machine only: it is inside of Windows`;
  const fix = 'set networkingMode=mirrored in .wslconfig of Windows, then wsl --shutdown';
  return { name, found, fix };
}
