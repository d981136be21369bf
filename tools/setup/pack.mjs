// @ts-check
// npm run offline -- pack: fills one tar file, asking registries as often as it takes.
import {
  createWriteStream,
  existsSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { findDocker, imagesWanted, isThere } from './docker.mjs';
import { nodePackage, PLATFORMS, packagesFor, readLock } from './packages.mjs';
import { ask, CannotDo, ended, megabytes, ROOT, start } from './programs.mjs';
import { temporaryFolder } from './task.mjs';

/** The variables by which docker-compose.yml takes other images. */
const IMAGE_VARIABLES = ['NGINX_IMAGE', 'REDIS_IMAGE'];

/**
 * What a pack says of itself. Its last file, so that a pack that was cut off has none.
 *
 * @typedef {object} Contents
 * @property {string} made the day
 * @property {string} commit
 * @property {import('./packages.mjs').Lock} lock
 * @property {string[]} platforms of the npm packages
 * @property {string} registry under whose address npm has cached them; it is not asked again
 * @property {{platform: string, names: string[], settings: Record<string, string>}} [images]
 */

/** @typedef {(line: string) => void} Report */

/**
 * Packs the last commit, its npm packages and its images into a file.
 *
 * @param {string} file is there only once it is whole
 * @param {{platforms?: string[] | undefined, withImages: boolean}} options for all platforms where none
 *   are named
 * @param {Report} report
 * @throws {CannotDo}
 */
export async function pack(file, { platforms = PLATFORMS, withImages }, report) {
  if (!existsSync(dirname(file))) throw new CannotDo(`there is no folder ${dirname(file)}`);
  const work = temporaryFolder(`${file}.`);
  const source = join(work, 'shared-state');
  const commit = await exportSource(work, report);
  const lock = readLock(source);
  const registry = ask('npm', ['config', 'get', 'registry']).stdout;

  await cacheNode(join(work, 'npm'), lock, platforms, report);
  const packages = packagesFor(lock, platforms);
  report(`npm packages: ${packages.length}, for ${platforms.join(', ')} ...`);
  await fillCache(join(work, 'npm'), packages);
  await tar(['-czf', join(work, 'npm.tar.gz'), '-C', work, 'npm']);
  rmSync(join(work, 'npm'), { recursive: true });
  const sizes = { packages: statSync(join(work, 'npm.tar.gz')).size, images: 0 };
  report(`npm packages: ${megabytes(sizes.packages)} MB`);

  const images = withImages ? await packImages(work, source, report) : undefined;
  if (images) sizes.images = statSync(join(work, 'images.tar.gz')).size;
  if (!withImages) report('images: left out, as you said');

  const made = new Date().toISOString().slice(0, 10);
  /** @type {Contents} */
  const contents = { made, commit, lock, platforms, registry, ...(images && { images }) };
  writeFileSync(join(work, 'pack.json'), JSON.stringify(contents));
  const parts = ['shared-state', 'npm.tar.gz', ...(images ? ['images.tar.gz'] : []), 'pack.json'];
  await tar(['-cf', join(work, 'pack.tar'), '-C', work, ...parts]);
  renameSync(join(work, 'pack.tar'), file);
  rmSync(work, { recursive: true });
  const total = statSync(file).size;
  report(`${file}: ${megabytes(total)} MB`);
  return { ...sizes, total, platforms };
}

/**
 * Writes the files of the last commit to the folder "shared-state".
 *
 * @param {string} work
 * @param {Report} report
 */
async function exportSource(work, report) {
  const { ok, stdout: commit } = ask('git', ['rev-parse', '--short', 'HEAD']);
  if (!ok) throw new CannotDo('pack wants a git clone, since it packs the last commit');
  // As in a checkout, for Docker to find again what it built of one.
  const args = ['-c', 'tar.umask=0022', 'archive', '--prefix=shared-state/', 'HEAD'];
  const archive = start('git', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const extract = start('tar', ['-xf', '-', '-C', work], { stdio: ['pipe', 'ignore', 'pipe'] });
  const both = Promise.all([ended(archive, 'git archive'), ended(extract, 'tar')]);
  if (archive.stdout && extract.stdin) archive.stdout.pipe(extract.stdin);
  await both;
  report(`source: commit ${commit}`);
  const changed = ask('git', ['status', '--porcelain', '--', '.']).stdout;
  if (changed) report('source: your changes since then are not in it; commit them first');
  return commit;
}

/**
 * Loads the pinned Node for each platform that has one.
 *
 * @param {string} cache
 * @param {import('./packages.mjs').Lock} lock
 * @param {string[]} platforms
 * @param {Report} report
 * @throws {CannotDo} where the registry does not answer
 */
async function cacheNode(cache, lock, platforms, report) {
  for (const platform of platforms) {
    try {
      await fillCache(cache, [nodePackage(lock, platform)]);
    } catch (err) {
      if (!/No matching version|Not Found/.test(String(err))) throw err;
      report(`${platform}: there is no ${nodePackage(lock, platform)}; it wants a Node of its own`);
    }
  }
}

/**
 * Has npm load packages into a cache, with all that `npm ci --offline` looks up there.
 *
 * @param {string} folder
 * @param {string[]} packages as `name@version`
 * @throws {CannotDo} where one cannot be had
 */
export async function fillCache(folder, packages) {
  const how = ['--loglevel=error', '--logs-max=0']; // whatever npm was told that runs this
  const args = ['cache', 'add', '--cache', folder, ...how, ...packages];
  const npm = start('npm', args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] });
  await ended(npm, 'npm cache add');
}

/**
 * @param {string} work
 * @param {string} source
 * @param {Report} report
 * @returns {Promise<Contents['images']>} `undefined` where Docker does not answer
 */
async function packImages(work, source, report) {
  const { missing, platform = '' } = findDocker();
  if (missing) {
    report(`images: left out, since of Docker ${missing}`);
    return undefined;
  }
  const images = imagesWanted(source);
  const names = images.map(({ name }) => name);
  report(`images: ${names.join(', ')} ...`);
  await pullMissing(images.filter(({ from }) => from === undefined).map(({ name }) => name));
  const build = start('docker', ['compose', 'build', '--quiet'], {
    cwd: source,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await ended(build, 'docker compose build');
  const bytes = await saveImages(names, join(work, 'images.tar.gz'));
  const packed = statSync(join(work, 'images.tar.gz')).size;
  report(`images: ${megabytes(packed)} MB, ${megabytes(bytes)} MB once they are loaded`);
  const settings = IMAGE_VARIABLES.flatMap((name) => {
    const value = process.env[name];
    return value ? [[name, value]] : [];
  });
  return { platform, names, settings: Object.fromEntries(settings) };
}

/**
 * Downloads images that are not there.
 *
 * @param {string[]} names
 * @throws {CannotDo}
 */
export async function pullMissing(names) {
  for (const name of names.filter((its) => !isThere(its))) {
    const args = ['pull', '--quiet', name];
    const pull = start('docker', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    await ended(pull, `docker pull ${name}`);
  }
}

/**
 * Writes images to a file, compressed.
 *
 * @param {string[]} names
 * @param {string} file
 * @returns {Promise<number>} the bytes of their layers, each layer once
 * @throws {CannotDo} where one is not there
 */
export async function saveImages(names, file) {
  let bytes = 0;
  const count = new Transform({
    transform(chunk, _encoding, done) {
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const save = start('docker', ['save', ...names], { stdio: ['ignore', 'pipe', 'pipe'] });
  const saved = ended(save, 'docker save');
  if (!save.stdout) return 0;
  await Promise.all([saved, pipeline(save.stdout, count, createGzip(), createWriteStream(file))]);
  return bytes;
}

/**
 * @param {string[]} args
 * @throws {CannotDo} where the system's tar fails
 */
export async function tar(args) {
  // Without what macOS else adds to an archive.
  const env = { ...process.env, COPYFILE_DISABLE: '1' };
  await ended(start('tar', args, { env, stdio: ['ignore', 'ignore', 'pipe'] }), 'tar');
}
