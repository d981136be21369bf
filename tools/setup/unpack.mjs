// @ts-check
// npm run offline -- unpack: installs from the file of `pack`, without a network.
import { existsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { pipe, run } from '../lib/child.mjs';
import { StackError } from '../lib/errors.mjs';
import { installedNode, installNode, isNewEnough } from '../lib/node.mjs';
import { installPackages, missingPackages, readLock, THIS_PLATFORM } from '../lib/packages.mjs';
import { findDocker } from './docker.mjs';
import { megabytes } from './requirements.mjs';
import { temporaryFolder } from './task.mjs';

/** @typedef {import('./pack.mjs').Contents} Contents */
/** @typedef {import('./pack.mjs').Report} Report */

/**
 * Installs the npm packages and, if necessary, Node, and loads the images into Docker.
 *
 * @param {string} file
 * @param {string} root the folder of the checkout
 * @param {Report} report
 * @throws {StackError} if the file is missing, truncated, or of another commit or platform
 */
export async function unpack(file, root, report) {
  const contents = await readContents(file);
  const { made, commit, lock, images } = contents;
  if (!isDeepStrictEqual(readLock(root), lock)) {
    throw new StackError(
      `${file} was made on ${made} of commit ${commit}, with another package-lock.json: ` +
        `git checkout ${commit}  or  npm run offline -- pack FILE`,
    );
  }
  if (process.platform === 'win32') report('npm packages: left out; they need WSL');
  else await installFrom(file, root, contents, report);
  await loadImages(file, contents, report);

  report('natively: install nginx and Redis with the package manager; see npm run preflight');
  if (images) {
    const settings = Object.entries(images.settings).map(([name, value]) => `${name}=${value} `);
    report(`in containers: ${settings.join('')}docker compose up`);
    report('  Without a network you cannot build the images again after a change of the code.');
  }
}

/**
 * @param {string} file
 * @returns {Promise<Contents>}
 */
async function readContents(file) {
  if (!existsSync(file)) {
    throw new StackError(`${file} does not exist; make it with: npm run offline -- pack FILE`);
  }
  try {
    return JSON.parse(await run('tar', ['-xOf', file, 'pack.json']));
  } catch (err) {
    if (/ENOENT/.test(String(err))) throw err;
    const size = `${megabytes(statSync(file).size)} MB`;
    throw new StackError(`${file} is truncated (${size}) or not made by pack; copy it again`);
  }
}

/**
 * @param {string} file
 * @param {string} root
 * @param {Contents} contents
 * @param {Report} report
 */
async function installFrom(file, root, { platforms, dev, registry }, report) {
  const needsNode = !isNewEnough() && !installedNode();
  if (!needsNode && !missingPackages(root, { dev }))
    return report('npm packages: installed already');
  if (!platforms.includes(THIS_PLATFORM)) {
    const has = `has packages for ${platforms.join(', ')}, not for ${THIS_PLATFORM}`;
    throw new StackError(`${file} ${has}: pack it with --for ${[...platforms, THIS_PLATFORM]}`);
  }
  report('npm packages …');
  const work = temporaryFolder(join(tmpdir(), 'shared-state-offline-'));
  await pipe(['tar', '-xOf', file, 'npm.tar.gz'], ['tar', '-xzf', '-', '-C', work]);
  const args = ['--offline', '--cache', join(work, 'npm'), '--registry', registry];
  const result = await installPackages(report, { root, dev, args });
  report(`npm packages: ${result ?? 'installed already'}`);
  if (needsNode) report(`Node: ${(await installNode(report, args)).version}`);
}

/**
 * @param {string} file
 * @param {Contents} contents
 * @param {Report} report
 */
async function loadImages(file, { images }, report) {
  if (!images) return report('images: none in this file');
  const docker = findDocker();
  if (docker.missing) return report(`images: left out, because ${docker.missing}`);
  if (docker.platform !== images.platform) {
    const reason = `they are for ${images.platform}, and Docker here runs ${docker.platform}`;
    return report(`images: left out, because ${reason}`);
  }
  report('images …');
  await pipe(['tar', '-xOf', file, 'images.tar.gz'], ['docker', 'load', '--quiet']);
  report(`images: ${images.names.join(', ')}`);
  for (const how of images.absent ?? [])
    report(`images: not all are in this file; with a network: ${how}`);
}
