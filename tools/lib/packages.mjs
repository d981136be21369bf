// @ts-check
// The npm packages of package-lock.json.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runNpm } from './child.mjs';
import { StackError } from './errors.mjs';
import { withLock } from './lock.mjs';
import { ROOT } from './root.mjs';

/**
 * A package in package-lock.json.
 *
 * @typedef {{name?: string, version: string, integrity?: string, dev?: boolean, optional?: boolean,
 *   os?: string[], cpu?: string[], libc?: string[]}} LockedPackage
 */

/** @typedef {{packages: Record<string, LockedPackage>}} Lock */

/** The name of this platform, for example `linux-x64`. */
export const THIS_PLATFORM = `${process.platform}-${process.arch}`;

/** The platforms that run a stack without containers. */
export const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];

/**
 * @param {string} root the folder of package-lock.json
 * @returns {Lock}
 */
export function readLock(root = ROOT) {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
}

/**
 * Compares node_modules with package-lock.json.
 *
 * @param {string} root the folder of the project
 * @returns {string | undefined} why the packages must be installed
 */
export function missingPackages(root = ROOT) {
  // npm writes this file last: it is missing after an install that was killed.
  const written = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(written)) return 'not installed';
  const { packages: installed } = /** @type {Lock} */ (JSON.parse(readFileSync(written, 'utf8')));
  for (const [path, { version, integrity, optional }] of Object.entries(readLock(root).packages)) {
    const its = installed[path];
    if (!path || (!its && optional)) continue;
    if (its?.version !== version || its.integrity !== integrity) {
      return 'different from package-lock.json';
    }
    if (!optional && !existsSync(join(root, path, 'package.json')))
      return `incomplete: ${path} is missing`;
  }
  return undefined;
}

/**
 * Installs the packages of package-lock.json if they are not complete. Several processes may call
 * this at once: one installs, and the others wait.
 *
 * @param {(line: string) => void} report
 * @param {{root?: string, args?: string[]}} [options] `args`: more arguments for npm
 * @returns {Promise<string | undefined>} what npm says about it, if this process installs
 * @throws {StackError} if npm fails
 */
export async function installPackages(report, { root = ROOT, args = [] } = {}) {
  if (!missingPackages(root)) return undefined;
  return withLock(join(root, 'node_modules.lock'), report, async (tell) => {
    if (!missingPackages(root)) return undefined;
    report('Installing packages (once) …');
    // npm removes all files at once; if it is killed then, this one must not be left.
    rmSync(join(root, 'node_modules/.package-lock.json'), { force: true });
    const said = await runNpm(['ci', '--include=dev', '--include=optional', ...args], root, tell);
    const reason = missingPackages(root);
    if (reason)
      throw new StackError(`The packages are still ${reason}; npm ci  may print the reason`);
    return said.trim().split('\n').at(-1);
  });
}

/**
 * The packages that some platforms need, each once.
 *
 * @param {Lock} lock
 * @param {string[]} platforms for example `linux-x64`; Linux with glibc
 * @param {{all?: boolean}} which `all: false` leaves out packages for development and optional ones
 * @returns {string[]} `name@version`
 */
export function packagesFor(lock, platforms, { all = true } = {}) {
  const wanted = new Set();
  for (const [path, its] of Object.entries(lock.packages)) {
    if (!path || ((its.dev || its.optional) && !all)) continue;
    const name = its.name ?? path.slice(path.lastIndexOf('node_modules/') + 13);
    if (platforms.some((platform) => runsOn(its, platform))) wanted.add(`${name}@${its.version}`);
  }
  return [...wanted].sort();
}

/**
 * @param {LockedPackage} its
 * @param {string} platform
 */
function runsOn({ os, cpu, libc }, platform) {
  const [itsOs = '', itsCpu = ''] = platform.split('-');
  if (os && !os.includes(itsOs)) return false;
  if (cpu && !cpu.includes(itsCpu)) return false;
  return !libc || libc.includes('glibc');
}
