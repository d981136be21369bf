// @ts-check
// Node 24 for machines that have an older one. It is installed once for each user.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ask, runNpm } from './child.mjs';
import { StackError } from './errors.mjs';
import { withLock } from './lock.mjs';
import { THIS_PLATFORM } from './packages.mjs';
import { withProgress } from './progress.mjs';

/** The oldest major version that runs this project. */
const NODE_MAJOR = 24;

/** The folder for what this project keeps for a user. */
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'shared-state');

/** @param {string} version for example 24.1.0 or v24.1.0 */
export function isNewEnough(version = process.version) {
  return Number(version.replace(/^v/, '').split('.')[0]) >= NODE_MAJOR;
}

/**
 * The npm package that consists of Node for a platform.
 *
 * @param {string} platform
 * @returns `name@version`
 */
export function nodePackage(platform) {
  return `${platform === 'darwin-arm64' ? 'node-bin' : 'node'}-${platform}@${NODE_MAJOR}`;
}

/**
 * The Node that was installed for this user.
 *
 * @returns {{version: string, folder: string} | undefined} `folder` is the one of the program
 */
export function installedNode() {
  const names = existsSync(CACHE) ? readdirSync(CACHE) : [];
  const [newest] = names
    .map((name) => /^node-v(\d+\.\d+\.\d+)-(.*)$/.exec(name) ?? [])
    .filter(([, version, platform]) => platform === THIS_PLATFORM && isNewEnough(version))
    .filter(([name = '']) => existsSync(join(CACHE, name, 'bin/node')))
    .sort(([, a = ''], [, b = '']) => b.localeCompare(a, 'en', { numeric: true }));
  if (!newest) return undefined;
  const [name = '', version = ''] = newest;
  return { version, folder: join(CACHE, name, 'bin') };
}

/**
 * Installs Node for this user if it is not there yet. Several processes may call this at once.
 *
 * @param {(line: string) => void} report
 * @param {string[]} [args] more arguments for npm
 * @throws {StackError} if it cannot be downloaded or does not run here
 */
export async function installNode(report, args = []) {
  mkdirSync(CACHE, { recursive: true });
  return withLock(join(CACHE, 'node.lock'), report, async (tell) => {
    const there = installedNode();
    if (there) return there;
    const work = join(CACHE, 'download');
    rmSync(work, { recursive: true, force: true }); // what a killed process has left
    const spec = nodePackage(THIS_PLATFORM);
    const how = [
      '--prefix',
      work,
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--fetch-retries=1',
    ];
    await withProgress(
      `Downloading Node ${NODE_MAJOR} into ${CACHE} (once)`,
      report,
      () => 'about 50 MB',
      () => runNpm(['install', ...how, ...args, spec], CACHE, tell),
    );
    const [name = ''] = spec.split('@');
    const { ok, stdout, said } = ask(join(work, 'node_modules', name, 'bin/node'), ['--version']);
    if (!ok || !isNewEnough(stdout)) throw new StackError(`${spec} does not run here: ${said}`);
    const target = join(CACHE, `node-${stdout}-${THIS_PLATFORM}`);
    // Without the headers, which are a third of it.
    for (const folder of [target, join(work, 'node_modules', name, 'include')]) {
      rmSync(folder, { recursive: true, force: true });
    }
    renameSync(join(work, 'node_modules', name), target);
    rmSync(work, { recursive: true });
    return /** @type {NonNullable<ReturnType<typeof installedNode>>} */ (installedNode());
  });
}
