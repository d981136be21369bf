// @ts-check
// Checks of the programs that a stack, its tests and its load tests need.
import { existsSync } from 'node:fs';
import { ask } from '../lib/child.mjs';
import { k6TooOld } from '../lib/k6.mjs';
import { installedNode, isNewEnough } from '../lib/node.mjs';
import {
  canInstall,
  findBrowser,
  findProgram,
  howToInstall,
  lookForTools,
} from '../lib/programs.mjs';

/** The oldest major version of Node that runs npm and tools/run.mjs. */
const OLDEST_NODE = 20;
/** The oldest versions that the tests run with; nginx and Redis are those of Debian 12. */
const TESTED = { nginx: '1.22', redis: '7.0', compose: '2.40' };

/** @typedef {import('./checks.mjs').Finding} Finding */
/** @typedef {import('./requirements.mjs').Requirements} Requirements */
/** @typedef {import('./docker.mjs').Image} Image */

/**
 * @param {Requirements} requirements
 * @param {string[]} folders
 * @returns {Finding}
 */
export function checkNode({ native }, folders) {
  const name = 'Node';
  const fix = howToInstall('node', folders);
  const node = ask(findProgram('node', folders) ?? process.execPath, ['--version']).stdout.slice(1);
  const npm = ask('npm', ['--version']).stdout;
  if (!npm) return { name, found: `${node}, without npm`, fix, blocks: ['natively'] };
  const found = `${node}, npm ${npm}`;
  if (isNewEnough(node)) return { name, found };
  if (Number(node.split('.')[0]) < OLDEST_NODE) {
    return { name, found: `${found}; ${OLDEST_NODE} is required`, fix, blocks: ['natively'] };
  }
  const own = installedNode();
  if (own) return { name, found: `${found} (npm start uses Node ${own.version})` };
  const download = `npm start downloads Node 24, ${native.nodeMB} MB`;
  return { name, found: `${found}; ${download}`, fix, downloads: ['natively'] };
}

/**
 * @param {Requirements} requirements
 * @param {string | undefined} missing why the packages of a stack must be installed
 * @param {string | undefined} missingForTests the same with those for development
 * @returns {Finding}
 */
export function checkPackages({ native }, missing, missingForTests) {
  const name = 'packages';
  if (!missing) {
    const rest = native.testDownloadMB - native.downloadMB;
    const found = missingForTests ? `installed; npm test downloads ${rest} MB more` : 'installed';
    return { name, found };
  }
  const found = `${missing}; ${native.downloadMB} MB to download`;
  const fix = 'npm start  installs them; without a network: npm run offline -- unpack FILE';
  return { name, found, fix, downloads: ['natively'] };
}

/**
 * Checks nginx and Redis.
 *
 * @param {string[]} folders
 * @returns {Finding[]}
 */
export function checkTools(folders) {
  const { nginx, redis } = lookForTools(folders);
  return [
    checkTool('nginx', nginx, ['-v'], TESTED.nginx, folders),
    checkTool('Redis', redis, ['--version'], TESTED.redis, folders),
  ];
}

/**
 * @param {string} name
 * @param {string | undefined} file
 * @param {string[]} args
 * @param {string} tested the oldest version that is tested
 * @param {string[]} folders
 * @returns {Finding}
 */
function checkTool(name, file, args, tested, folders) {
  const fix = howToInstall('stack', folders);
  if (!file && canInstall(folders)) {
    return { name, found: 'missing; npm start installs it', fix, downloads: ['natively'] };
  }
  if (!file) return { name, found: 'missing', fix, blocks: ['natively'] };
  const { stdout, said } = ask(file, args);
  // nginx version: nginx/1.22.1;  Redis server v=7.0.15 sha=…
  const [, version] = /(?:nginx\/|v=)(\d+\.\d+\.\d+)/.exec(stdout + said) ?? [];
  if (!version) {
    const found = `${file} does not print its version: ${said.split('\n')[0]}`;
    return { name, found, fix, blocks: ['natively'] };
  }
  const found = file.endsWith('valkey-server') ? `Valkey ${version}` : version;
  if (!isOlder(version, tested)) return { name, found };
  return { name, found: `${found}; the oldest tested version is ${tested}`, fix };
}

/**
 * @param {string} version
 * @param {string} than
 */
function isOlder(version, than) {
  const [a = 0, b = 0] = version.split('.').map(Number);
  const [c = 0, d = 0] = than.split('.').map(Number);
  return a < c || (a === c && b < d);
}

/**
 * @param {import('./docker.mjs').Docker} docker
 * @returns {Finding}
 */
export function checkDocker({ engine, compose, missing, fix }) {
  const name = 'Docker';
  if (missing) return { name, found: missing, fix: fix ?? '', blocks: ['in containers'] };
  const found = `${engine}, Compose ${compose}`;
  if (!isOlder(compose ?? '', TESTED.compose)) return { name, found };
  const old = `${found}; the oldest tested version is ${TESTED.compose}`;
  return { name, found: old, fix: howToInstall('docker') };
}

/**
 * @param {Requirements} requirements
 * @param {Image[]} images
 * @param {Image[]} missing
 * @returns {Finding}
 */
export function checkImages({ containers }, images, missing) {
  const name = 'images';
  const names = (/** @type {Image[]} */ its) => its.map((image) => image.name).join(', ');
  if (images.length === 0) {
    const fix = 'docker compose config  prints the reason';
    return { name, found: 'Compose rejects docker-compose.yml', fix, blocks: ['in containers'] };
  }
  if (missing.length === 0) return { name, found: names(images) };
  const found = `missing: ${names(missing)}; up to ${containers.downloadMB} MB to download`;
  const fix =
    'docker compose pull nginx redis && docker compose build; without a network: npm run offline -- unpack FILE';
  return { name, found, fix, downloads: ['in containers'] };
}

/**
 * @param {string[]} folders
 * @returns {Finding}
 */
export function checkBrowser(folders) {
  const name = 'browser';
  const file = process.env.CHROMIUM || findBrowser(folders);
  if (file && existsSync(file)) return { name, found: file };
  const found = 'no Chromium or Chrome; tests of the page need one, the stack does not';
  return { name, found, fix: howToInstall('chromium', folders) };
}

/**
 * @param {string[]} folders
 * @returns {Finding}
 */
export function checkLoadTests(folders) {
  const k6 = findProgram('k6', folders);
  const problem = k6 ? k6TooOld(ask(k6, ['version']).stdout) : 'k6 is missing';
  const found = problem ? `${problem}; npm run loadtest uses its own runner` : (k6 ?? '');
  return { name: 'load tests', found };
}
