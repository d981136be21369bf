// @ts-check
// The npm packages of package-lock.json.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runNpm } from './child.mjs';
import { StackError } from './errors.mjs';
import { withLock } from './lock.mjs';
import { withProgress } from './progress.mjs';
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

/** npm writes this file last. */
const INSTALLED = 'node_modules/.package-lock.json';

/**
 * @param {string} root the folder of package-lock.json
 * @returns {Lock}
 */
export function readLock(root = ROOT) {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
}

/**
 * The programs in these folders need no package for development: participants run them, and must not
 * have to download three times as much.
 */
export const PRODUCTION_ONLY = [
  'tools/stack/',
  'tools/seats/',
  'tools/observe/',
  'loadtest/',
  'workshop/',
];

/**
 * Compares node_modules with package-lock.json.
 *
 * @param {string} root the folder of the project
 * @param {{dev?: boolean}} [which] `dev: false` ignores the packages for development
 * @returns {string | undefined} why the packages must be installed
 */
export function missingPackages(root = ROOT, { dev = true } = {}) {
  const installed = installedPackages(root);
  if (!installed) return 'not installed';
  for (const [path, its] of Object.entries(readLock(root).packages)) {
    const there = installed[path];
    if (!path || (!there && its.optional) || (its.dev && !dev)) continue;
    if (there?.version !== its.version || there.integrity !== its.integrity) {
      return 'different from package-lock.json';
    }
    if (!its.optional && !hasFiles(root, path)) return `incomplete: ${path} is missing`;
  }
  return undefined;
}

/**
 * What npm has written about node_modules after its last complete install.
 *
 * @param {string} root
 * @returns {Lock['packages'] | undefined} `undefined` after an install that was killed
 */
function installedPackages(root) {
  const written = join(root, INSTALLED);
  return existsSync(written) ? JSON.parse(readFileSync(written, 'utf8')).packages : undefined;
}

/**
 * @param {string} root
 * @param {string} path of a package
 */
function hasFiles(root, path) {
  return existsSync(join(root, path, 'package.json'));
}

/**
 * Installs the packages of package-lock.json if they are not complete. Several processes may call
 * this at once: one installs, and the others wait.
 *
 * @param {(line: string) => void} report
 * @param {{root?: string, dev?: boolean, args?: string[]}} [options] `dev: false` leaves out the
 *   packages for development; `args`: more arguments for npm
 * @returns {Promise<string | undefined>} what npm says about it, if this process installs
 * @throws {StackError} if npm fails
 */
export async function installPackages(report, { root = ROOT, dev = true, args = [] } = {}) {
  if (!missingPackages(root, { dev })) return undefined;
  return withLock(join(root, 'node_modules.lock'), report, async (tell) => {
    if (!missingPackages(root, { dev })) return undefined;
    const isAddition = lacksOnlyDev(root);
    const lock = Object.entries(readLock(root).packages);
    const paths = lock
      .filter(([path, its]) => path && !its.optional && (dev || !its.dev))
      .map(([path]) => path)
      .filter((path) => !isAddition || !hasFiles(root, path));
    const command = isAddition ? ['install', '--no-save'] : ['ci'];
    // `npm ci` removes all files at once; if it is killed then, this one must not be left.
    if (!isAddition) rmSync(join(root, INSTALLED), { force: true });
    const include = ['--include=optional', dev ? '--include=dev' : '--omit=dev'];
    const said = await withProgress(
      isAddition ? 'Installing packages for development (once)' : 'Installing packages (once)',
      report,
      () => `${paths.filter((path) => hasFiles(root, path)).length} of ${paths.length}`,
      () => runNpm([...command, ...include, ...args], root, tell),
    );
    const reason = missingPackages(root, { dev });
    if (reason)
      throw new StackError(`The packages are still ${reason}; npm ci  may print the reason`);
    return said.trim().split('\n').at(-1);
  });
}

/**
 * Whether npm can add the packages for development and leave the others in place, because a running
 * stack uses them. A package that a killed install has left may be incomplete; then it cannot.
 *
 * @param {string} root
 */
function lacksOnlyDev(root) {
  if (missingPackages(root, { dev: false })) return false;
  const installed = installedPackages(root);
  const lock = Object.entries(readLock(root).packages);
  return lock.every(([path, { dev }]) => !dev || (!installed?.[path] && !hasFiles(root, path)));
}

/**
 * The packages that some platforms need, each once.
 *
 * @param {Lock} lock
 * @param {string[]} platforms for example `linux-x64`; Linux with glibc
 * @param {{dev?: boolean}} [which] `dev: false` leaves out the packages for development
 * @returns {string[]} `name@version`
 */
export function packagesFor(lock, platforms, { dev = true } = {}) {
  const wanted = new Set();
  for (const [path, its] of Object.entries(lock.packages)) {
    if (!path || (its.dev && !dev)) continue;
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
