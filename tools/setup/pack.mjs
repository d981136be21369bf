// @ts-check
// npm run offline -- pack: downloads everything into one tar file.
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ask, pipe, run, runNpm } from '../lib/child.mjs';
import { StackError } from '../lib/errors.mjs';
import { nodePackage } from '../lib/node.mjs';
import { packagesFor, readLock } from '../lib/packages.mjs';
import { findDocker, hasImage, listImages } from './docker.mjs';
import { megabytes } from './requirements.mjs';
import { temporaryFolder } from './task.mjs';

/** The variables of docker-compose.yml that replace images. */
const IMAGE_VARIABLES = ['NGINX_IMAGE', 'REDIS_IMAGE'];
process.env.COPYFILE_DISABLE = '1'; // keeps macOS from adding files of its own to archives

/**
 * The description of a pack. It is the last entry of the file: a truncated file has none.
 *
 * @typedef {object} Contents
 * @property {string} made the day
 * @property {string} commit
 * @property {import('../lib/packages.mjs').Lock} lock
 * @property {string[]} platforms of the npm packages
 * @property {boolean} dev whether it has the packages for development
 * @property {string} registry part of the keys in npm's cache; nothing is requested from it
 * @property {{platform: string, names: string[], absent?: string[], settings: Record<string, string>}} [images]
 *   `absent`: the commands that get the other ones
 */

/** @typedef {(line: string) => void} Report */

/**
 * Packs the last commit, its npm packages, Node and the images.
 *
 * @param {string} file exists only after it is complete
 * @param {{platforms: string[], withTests: boolean, withImages: boolean}} options
 * @param {Report} report
 * @returns {Promise<{total: number, images: number}>} bytes
 * @throws {StackError}
 */
export async function pack(file, { platforms, withTests: dev, withImages }, report) {
  if (!existsSync(dirname(file))) throw new StackError(`There is no folder ${dirname(file)}`);
  const work = temporaryFolder(`${file}.`);
  const at = (/** @type {string} */ name) => join(work, name);
  const commit = await exportSource(work, report);
  const lock = readLock(at('shared-state'));
  const registry = ask('npm', ['config', 'get', 'registry']).stdout;

  const packages = [...packagesFor(lock, platforms, { dev }), ...platforms.map(nodePackage)];
  report(`npm packages: ${packages.length}, for ${platforms.join(', ')} …`);
  await fillCache(at('npm'), packages);
  await run('tar', ['-czf', at('npm.tar.gz'), '-C', work, 'npm']);
  rmSync(at('npm'), { recursive: true });
  report(`npm packages: ${megabytes(statSync(at('npm.tar.gz')).size)} MB`);

  const images = withImages ? await packImages(work, report) : undefined;
  if (!withImages) report('images: left out, because of --without-images');

  const made = new Date().toISOString().slice(0, 10);
  /** @type {Contents} */
  const contents = { made, commit, lock, platforms, dev, registry, ...(images && { images }) };
  writeFileSync(at('pack.json'), JSON.stringify(contents));
  const parts = ['shared-state', 'npm.tar.gz', ...(images ? ['images.tar.gz'] : []), 'pack.json'];
  await run('tar', ['-cf', at('pack.tar'), '-C', work, ...parts]);
  const bytes = {
    total: statSync(at('pack.tar')).size,
    images: images ? statSync(at('images.tar.gz')).size : 0,
  };
  renameSync(at('pack.tar'), file);
  rmSync(work, { recursive: true });
  report(`${file}: ${megabytes(bytes.total)} MB`);
  return bytes;
}

/**
 * Writes the files of the last commit to the folder "shared-state".
 *
 * @param {string} work
 * @param {Report} report
 */
async function exportSource(work, report) {
  const { ok, stdout: commit } = ask('git', ['rev-parse', '--short', 'HEAD']);
  if (!ok) throw new StackError('`pack` needs a git clone, because it packs the last commit.');
  // With the permissions of a checkout, so that Docker's build cache stays valid.
  const args = ['-c', 'tar.umask=0022', 'archive', '--prefix=shared-state/', 'HEAD'];
  await pipe(['git', ...args], ['tar', '-xf', '-', '-C', work]);
  report(`source: commit ${commit}`);
  const changed = ask('git', ['status', '--porcelain', '--', '.']).stdout;
  if (changed) report('source: your later changes are not in it; commit them first');
  return commit;
}

/**
 * Downloads packages into a cache, with everything that `npm ci --offline` looks for.
 *
 * @param {string} folder
 * @param {string[]} packages as `name@version`
 * @throws {StackError} if one is not available
 */
export async function fillCache(folder, packages) {
  await runNpm(['cache', 'add', '--cache', folder, ...packages]);
}

/**
 * @param {string} work
 * @param {Report} report
 * @returns {Promise<Contents['images']>} `undefined` without Docker
 */
async function packImages(work, report) {
  const { missing, platform = '' } = findDocker();
  if (missing) {
    report(`images: left out, because ${missing}`);
    return undefined;
  }
  const source = join(work, 'shared-state');
  const images = listImages(source);
  if (images.length === 0) {
    report('images: left out, because Compose rejects docker-compose.yml');
    return undefined;
  }
  report(`images: ${images.map(({ name }) => name).join(', ')} …`);
  /** @type {string[]} */
  const names = [];
  /** @type {string[]} */
  const absent = [];
  /** @type {(its: string[], how: string, work: Promise<unknown>) => Promise<void>} */
  const get = async (its, how, work) => {
    try {
      await work;
      names.push(...its);
    } catch (err) {
      absent.push(how);
      const reason = err instanceof Error ? err.message : err;
      report(`images: without ${its.join(', ')}: ${reason}; to add it: ${how}, then pack again`);
    }
  };
  for (const { name } of images.filter(({ base }) => base === undefined)) {
    await get([name], `docker pull ${name}`, pullMissing([name]));
  }
  const built = images.filter(({ base }) => base !== undefined).map(({ name }) => name);
  const build = ['compose', 'build', '--quiet'];
  await get(built, 'docker compose build', run('docker', build, { cwd: source }));
  if (names.length === 0) {
    report('images: left out, because there is none');
    return undefined;
  }
  const file = join(work, 'images.tar.gz');
  await saveImages(names, file);
  report(`images: ${megabytes(statSync(file).size)} MB`);
  const settings = IMAGE_VARIABLES.map((name) => [name, process.env[name]]).filter(
    ([, its]) => its,
  );
  return { platform, names, absent, settings: Object.fromEntries(settings) };
}

/**
 * Downloads images that are not here.
 *
 * @param {string[]} names
 * @throws {StackError}
 */
export async function pullMissing(names) {
  for (const name of names.filter((its) => !hasImage(its))) {
    await run('docker', ['pull', '--quiet', name]);
  }
}

/**
 * Writes images to a file, compressed.
 *
 * @param {string[]} names
 * @param {string} file
 * @throws {StackError} if one is not here
 */
export async function saveImages(names, file) {
  await pipe(['docker', 'save', ...names], ['sh', '-c', 'gzip >"$0"', file]);
}
