// @ts-check
// The programs that a stack, its tests and load tests want.
import { existsSync } from 'node:fs';
import { isThere } from './docker.mjs';
import { ask, findProgram, howToInstall } from './programs.mjs';

/** The least Node that runs npm and the scripts of package.json. */
const OLDEST_NODE = 20;
/** What the tests run on at the oldest; nginx and Redis are those of Debian 12. */
const TESTED = { nginx: '1.22', redis: '7.0', compose: '2.40' };
const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const CHROME_ON_MACOS = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/** @typedef {import('./checks.mjs').Finding} Finding */
/** @typedef {import('./needs.mjs').Needs} Needs */
/** @typedef {ReturnType<typeof import('./packages.mjs').installedPackages>} Packages */

/**
 * Node and npm of this machine, not those that the packages bring.
 *
 * @param {string[]} folders
 * @param {Packages} packages
 * @returns {Finding}
 */
export function checkNode(folders, packages) {
  const name = 'Node';
  const mend = howToInstall('node', folders);
  const file = findProgram('node', folders) ?? process.execPath;
  const node = ask(file, ['--version']).stdout.replace(/^v/, '');
  const npm = ask('npm', ['--version']).stdout;
  if (!npm) return { name, found: `${node}, without npm`, mend, stops: ['natively'] };
  const isBrought = 'node' in packages && packages.isBrought;
  const brought = isBrought ? ` (the packages bring Node ${packages.node})` : '';
  const found = `${node}, npm ${npm}${brought}`;
  if (Number(node.split('.')[0]) >= OLDEST_NODE) return { name, found };
  const wanted = `${found}; wanted from ${OLDEST_NODE} on`;
  return { name, found: wanted, mend, stops: ['natively'] };
}

/**
 * @param {Needs} needs
 * @param {string[]} folders
 * @param {Packages} packages
 * @returns {Finding}
 */
export function checkPackages(needs, folders, packages) {
  const name = 'packages';
  if ('node' in packages) return { name, found: 'installed' };
  if (packages.wantsNode) {
    const mend = howToInstall('node', folders);
    return { name, found: packages.missing, mend, stops: ['natively'] };
  }
  const found = `${packages.missing}; ${needs.native.downloadMB} MB to download`;
  const mend = 'npm ci --include=dev  (npm start does it, too)  or  npm run offline -- unpack FILE';
  return { name, found, mend, waits: ['natively'] };
}

/**
 * nginx and Redis of this machine. As root on Debian `npm start` installs what is missing.
 *
 * @param {string[]} folders
 * @returns {Finding[]}
 */
export function checkTools(folders) {
  const byItself = process.getuid?.() === 0 && findProgram('apt-get', folders);
  const mend = howToInstall('stack', folders);
  const redis = ['redis-server', 'valkey-server'];
  return [
    { name: 'nginx', programs: ['nginx'], option: '-v', tested: TESTED.nginx },
    { name: 'Redis', programs: redis, option: '--version', tested: TESTED.redis },
  ].map(({ name, programs, option, tested }) => {
    const file = programs.map((program) => findProgram(program, folders)).find(Boolean);
    if (!file) {
      if (!byItself) return { name, found: 'missing', mend, stops: ['natively'] };
      const found = 'missing; npm start installs it';
      return { name, found, mend, waits: ['natively'] };
    }
    const { stdout, said } = ask(file, [option]);
    // nginx version: nginx/1.22.1;  Redis server v=7.0.15 sha=…
    const [, version] = /(?:nginx\/|v=)(\d+\.\d+\.\d+)/.exec(stdout + said) ?? [];
    if (!version) {
      const found = `${file} does not say its version: ${said.split('\n')[0]}`;
      return { name, found, mend, stops: ['natively'] };
    }
    const found = file.endsWith('valkey-server') ? `Valkey ${version}` : version;
    if (!isOlder(version, tested)) return { name, found };
    return { name, found: `${found}; tested from ${tested} on`, mend };
  });
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
export function checkDocker({ engine, compose, missing, mend }) {
  const name = 'Docker';
  if (missing) return { name, found: missing, mend: mend ?? '', stops: ['in containers'] };
  const found = `${engine}, Compose ${compose}`;
  if (!isOlder(compose ?? '', TESTED.compose)) return { name, found };
  const old = `${found}; tested from ${TESTED.compose} on`;
  return { name, found: old, mend: howToInstall('docker') };
}

/**
 * @param {Needs} needs
 * @param {import('./docker.mjs').Image[]} images
 * @param {import('./docker.mjs').Image[]} missing those that are not there
 * @returns {Finding}
 */
export function checkImages(needs, images, missing) {
  const name = 'images';
  const names = (/** @type {typeof images} */ its) => its.map((image) => image.name).join(', ');
  if (images.length === 0) {
    const mend = 'docker compose config  says what is wrong';
    return { name, found: 'docker-compose.yml is refused', mend, stops: ['in containers'] };
  }
  if (missing.length === 0) return { name, found: names(images) };
  const built = missing.filter(({ from }) => from);
  const pulled = missing.filter(({ from }) => !from);
  const bases = [...new Set(built.map(({ from = '' }) => from))];
  const base = bases.filter((image) => !isThere(image));
  const parts = [
    pulled.length > 0 && `to be downloaded: ${names(pulled)}`,
    built.length > 0 && `to be built: ${names(built)}${base.length > 0 ? ` from ${base}` : ''}`,
  ].filter(Boolean);
  const found = `${parts.join('; ')}; up to ${needs.containers.downloadMB} MB`;
  const mend =
    'docker compose pull nginx redis; docker compose build  or  npm run offline -- unpack FILE';
  return { name, found, mend, waits: ['in containers'] };
}

/**
 * @param {string[]} folders
 * @returns {Finding}
 */
export function checkBrowser(folders) {
  const name = 'browser';
  const { CHROMIUM: named } = process.env;
  const file =
    named ||
    CHROMIUM.map((program) => findProgram(program, folders)).find(Boolean) ||
    CHROME_ON_MACOS;
  if (existsSync(file)) return { name, found: file };
  const found = 'no Chromium or Chrome; only tests of the page want one, any browser shows it';
  return { name, found, mend: howToInstall('chromium', folders) };
}

/**
 * @param {string[]} folders
 * @returns {Finding}
 */
export function checkLoadTests(folders) {
  const found = findProgram('k6', folders) ?? 'no k6; the runner of the project stands in for it';
  return { name: 'load tests', found };
}
