// @ts-check
// The checks of `npm run preflight`, and their result.

import { missingPackages } from '../lib/packages.mjs';
import { FOLDERS } from '../lib/programs.mjs';
import { ROOT } from '../lib/root.mjs';
import {
  checkAudience,
  checkDisk,
  checkMemory,
  checkPort,
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
import { findDocker, hasImage, listImages } from './docker.mjs';

/** @typedef {'natively' | 'in containers'} Way how a stack runs */

/** @type {Way[]} */
const WAYS = ['natively', 'in containers'];

/**
 * The result of one check.
 *
 * @typedef {object} Finding
 * @property {string} name
 * @property {string} found
 * @property {string} [fix] what to do; `undefined` if nothing is wrong
 * @property {Way[]} [blocks] the ways that are impossible until then
 * @property {Way[]} [downloads] the ways that need a download first
 */

/**
 * Makes all checks. Takes seconds, and uses no network. Never throws.
 *
 * @param {import('./requirements.mjs').Requirements} requirements
 * @param {string[]} folders where programs are looked for
 */
export async function checkAll(requirements, folders = FOLDERS) {
  const packages = missingPackages(ROOT, { dev: false });
  const testPackages = missingPackages(ROOT);
  const docker = findDocker(folders);
  const images = docker.missing ? [] : listImages();
  const missing = images.filter(({ name }) => !hasImage(name));
  return [
    checkSystem(),
    checkNode(requirements, folders),
    checkPackages(requirements, packages, testPackages),
    ...checkTools(folders),
    checkDocker(docker),
    ...(docker.missing ? [] : [checkImages(requirements, images, missing)]),
    await checkPort(process.env, docker),
    checkMemory(requirements, freeMemory()),
    ...checkDisk(requirements, { packages: !!packages, images: missing.length > 0 }),
    checkAudience(process.env),
    checkBrowser(folders),
    checkLoadTests(folders),
  ];
}

/**
 * Decides whether the stack runs in at least one way. Only if it does not, findings are errors.
 *
 * @param {Finding[]} findings
 */
export function judge(findings) {
  const ways = WAYS.map((way) => ({
    way,
    blockedBy: findings.filter(({ blocks }) => blocks?.includes(way)).map(({ name }) => name),
    downloads: findings.filter((its) => its.downloads?.includes(way)).map(({ name }) => name),
  }));
  const works = ways.some(({ blockedBy }) => blockedBy.length === 0);
  const stateOf = (/** @type {Finding} */ { fix, blocks }) => {
    if (blocks?.length && !works) return 'error';
    return fix ? 'warning' : 'ok';
  };
  const checks = findings.map((finding) => {
    const { name, found, fix } = finding;
    return { name, state: stateOf(finding), found, ...(fix && { fix }) };
  });
  return { works, ways, checks };
}
