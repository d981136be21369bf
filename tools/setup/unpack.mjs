// @ts-check
// npm run offline -- unpack: installs from the file that `pack` has made, asking no registry.
import { existsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { findDocker } from './docker.mjs';
import { installedPackages, readLock, THIS_PLATFORM } from './packages.mjs';
import { CannotDo, ended, howToInstall, megabytes, start } from './programs.mjs';
import { temporaryFolder } from './task.mjs';

/** @typedef {import('./pack.mjs').Contents} Contents */
/** @typedef {import('./pack.mjs').Report} Report */

/**
 * Installs the npm packages into a checkout and gives Docker the images.
 *
 * @param {string} file
 * @param {string} root the folder of the checkout
 * @param {Report} report
 * @throws {CannotDo} where the file is missing, cut off, or for another commit or machine
 */
export async function unpack(file, root, report) {
  const contents = await readContents(file);
  const { made, commit, lock, platforms } = contents;
  if (!isDeepStrictEqual(readLock(root), lock)) {
    const remedy = `git checkout ${commit}  or  npm run offline -- pack FILE`;
    const made_ = `made on ${made} of commit ${commit}`;
    throw new CannotDo(`${file} was ${made_}, with another package-lock.json: ${remedy}`);
  }
  // There only containers run.
  if (process.platform === 'win32') report('npm packages: left out, Windows needs WSL for them');
  else await installPackages(file, root, contents, report);
  await loadImages(file, contents, report);

  report(
    'natively: nginx and Redis come from this system; npm run preflight  says what is missing',
  );
  if (contents.images) {
    const { settings } = contents.images;
    const set = Object.entries(settings).map(([name, value]) => `${name}=${value} `);
    report(`in containers: ${set.join('')}docker compose up`);
    report('  after a change of the code they cannot be built anew without a registry');
  }
  return platforms;
}

/**
 * @param {string} file
 * @returns {Promise<Contents>}
 */
async function readContents(file) {
  if (!existsSync(file)) {
    throw new CannotDo(`${file} is not there; npm run offline -- pack FILE  makes one`);
  }
  const child = start('tar', ['-xOf', file, 'pack.json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    return JSON.parse(await ended(child, 'tar'));
  } catch (err) {
    if (/ENOENT/.test(String(err))) throw err;
    const size = `${megabytes(statSync(file).size)} MB`;
    throw new CannotDo(`${file} is cut off (${size}) or not made by pack; copy it again`);
  }
}

/**
 * @param {string} file
 * @param {string} root
 * @param {Contents} contents
 * @param {Report} report
 */
async function installPackages(file, root, { platforms, registry }, report) {
  if ('node' in installedPackages(root)) {
    report('npm packages: are there already');
    return;
  }
  if (!platforms.includes(THIS_PLATFORM)) {
    const has = `has packages for ${platforms.join(', ')}, not for ${THIS_PLATFORM}`;
    throw new CannotDo(`${file} ${has}: pack it with --for ${[...platforms, THIS_PLATFORM]}`);
  }
  report('npm packages ...');
  const work = temporaryFolder(join(tmpdir(), 'shared-state-offline-'));
  await extractInto(file, 'npm.tar.gz', ['tar', '-xzf', '-', '-C', work]);
  // As words, which count for more than any setting; npm hands them on to the install scripts.
  const where = ['--offline', '--cache', join(work, 'npm'), '--registry', registry];
  const how = [
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--logs-max=0',
  ];
  const npm = start('npm', ['ci', ...where, ...how], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = await ended(npm, 'npm ci');
  const result = installedPackages(root);
  if ('missing' in result) {
    const remedy = result.wantsNode ? howToInstall('node') : 'unpack again';
    throw new CannotDo(`the packages are ${result.missing}: ${remedy}`);
  }
  report(`npm packages: ${said.trim().split('\n').at(-1)}, with Node ${result.node}`);
}

/**
 * @param {string} file
 * @param {Contents} contents
 * @param {Report} report
 */
async function loadImages(file, { images }, report) {
  if (!images) {
    report('images: none in this file');
    return;
  }
  const docker = findDocker();
  if (docker.missing) {
    report(`images: left out, since of Docker ${docker.missing}`);
    return;
  }
  if (docker.platform !== images.platform) {
    const differs = `they are for ${images.platform}, Docker here is ${docker.platform}`;
    report(`images: left out, ${differs}; they have to be packed on such a machine`);
    return;
  }
  report('images ...');
  await extractInto(file, 'images.tar.gz', ['docker', 'load', '--quiet']);
  report(`images: ${images.names.join(', ')}`);
}

/**
 * Hands a part of the file to the standard input of a program.
 *
 * @param {string} file
 * @param {string} part
 * @param {string[]} command
 */
async function extractInto(file, part, [program = '', ...args]) {
  const from = start('tar', ['-xOf', file, part], { stdio: ['ignore', 'pipe', 'pipe'] });
  const into = start(program, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const both = Promise.all([ended(into, program), ended(from, 'tar')]);
  into.stdin?.on('error', () => {}); // it has ended already, and tells why
  if (from.stdout && into.stdin) from.stdout.pipe(into.stdin);
  await both;
}
