// @ts-check
// What `npm run preflight` looks at, and what follows from it.
import { networkInterfaces } from 'node:os';
import {
  checkDisk,
  checkMemory,
  checkPort,
  checkRoom,
  checkSystem,
  freeMemory,
} from './check-machine.mjs';
import {
  checkBrowser,
  checkDocker,
  checkImages,
  checkLoadTests,
  checkNode,
  checkPackages,
  checkTools,
} from './check-programs.mjs';
import { findDocker, imagesWanted, isThere } from './docker.mjs';
import { installedPackages } from './packages.mjs';
import { FOLDERS } from './programs.mjs';

/** @typedef {'natively' | 'in containers'} Way */

/** @type {Way[]} */
const WAYS = ['natively', 'in containers'];

/**
 * What was found.
 *
 * @typedef {object} Finding
 * @property {string} name
 * @property {string} found
 * @property {string} [mend] what to do about it; without one all is well
 * @property {Way[]} [stops] the ways in which the stack cannot run as long as it is so
 * @property {Way[]} [waits] the ways that work after a download
 */

/**
 * Makes all checks, in the order in which they are told. Takes seconds, and asks nobody in the
 * network. Never throws.
 *
 * @param {import('./needs.mjs').Needs} needs
 * @param {string[]} folders where programs are looked for
 */
export async function checkAll(needs, folders = FOLDERS) {
  const packages = installedPackages();
  const docker = findDocker(folders);
  const images = docker.missing ? [] : imagesWanted();
  const missing = images.filter(({ name }) => !isThere(name));
  const toCome = { natively: 'missing' in packages, inContainers: missing.length > 0 };
  return [
    checkSystem(),
    checkNode(folders, packages),
    checkPackages(needs, FOLDERS, packages),
    ...checkTools(folders),
    checkDocker(docker),
    ...(docker.missing ? [] : [checkImages(needs, images, missing)]),
    await checkPort(process.env, docker),
    checkMemory(needs, freeMemory()),
    ...checkDisk(needs, toCome),
    checkRoom(process.env, networkInterfaces()),
    checkBrowser(folders),
    checkLoadTests(folders),
  ];
}

/**
 * Whether one of the ways works, and how bad each finding is: `broken` only where neither does.
 *
 * @param {Finding[]} findings
 */
export function judge(findings) {
  const ways = WAYS.map((way) => ({
    way,
    stoppedBy: findings.filter(({ stops }) => stops?.includes(way)).map(({ name }) => name),
    waitsFor: findings.filter(({ waits }) => waits?.includes(way)).map(({ name }) => name),
  }));
  const works = ways.some(({ stoppedBy }) => stoppedBy.length === 0);
  const stateOf = (/** @type {Finding} */ { mend, stops }) => {
    if (stops?.length && !works) return 'broken';
    return mend ? 'lacking' : 'well';
  };
  return {
    works,
    ways,
    checks: findings.map((its) => ({
      name: its.name,
      state: stateOf(its),
      found: its.found,
      ...(its.mend && { mend: its.mend }),
    })),
  };
}
