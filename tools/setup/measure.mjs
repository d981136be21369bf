// @ts-check
// npm run preflight -- --measure: measures on this machine what a stack needs.
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ask, ended, run, start } from '../lib/child.mjs';
import { StackError } from '../lib/errors.mjs';
import { nodePackage } from '../lib/node.mjs';
import {
  installPackages,
  PLATFORMS,
  packagesFor,
  readLock,
  THIS_PLATFORM,
} from '../lib/packages.mjs';
import { listProcesses } from '../lib/processes.mjs';
import { ROOT } from '../lib/root.mjs';
import { STACKS } from '../lib/stack-folder.mjs';
import { findDocker, listImages } from './docker.mjs';
import { fillCache, pack, pullMissing, saveImages } from './pack.mjs';
import { megabytes } from './requirements.mjs';
import { temporaryFolder } from './task.mjs';
import { unpack } from './unpack.mjs';

/** @typedef {import('./requirements.mjs').Requirements} Requirements */

/** Requests before memory is measured, and how many run at once. Each is a new visitor. */
const REQUESTS = 2000;
const CONCURRENCY = 20;
/** Milliseconds between the last request and the measurement, and for a start. */
const REST_MS = 2000;
const START_MS = 30_000;

/**
 * Measures everything that runs here. Takes minutes.
 *
 * @param {Requirements} before what stays if Docker is missing
 * @param {(line: string) => void} report
 * @returns {Promise<Requirements>}
 * @throws {StackError} if the stack does not run here natively, or the machine is busy
 */
export async function measure(before, report) {
  const measured = describeMeasurement();
  if (measured.load >= cpus().length) {
    throw new StackError(`The load average is ${measured.load}; end other programs and try again.`);
  }
  const native = { measured, ...(await measureNatively(report)) };
  report('running the lessons …');
  const lessonSeconds = await measureLessons();
  const { missing } = findDocker();
  if (missing) {
    report(`containers and pack: not measured, because ${missing}`);
    return { ...before, native, lessonSeconds };
  }
  const { containers, pack } = await measureWithDocker(report);
  return { native, lessonSeconds, containers: { measured, ...containers }, pack };
}

/** @param {(line: string) => void} report */
async function measureNatively(report) {
  report('downloading and installing the packages of this platform …');
  const all = await measurePackages({ dev: true });
  const { downloadMB, diskMB } = await measurePackages({ dev: false });
  const nodeMB = await downloadOf([nodePackage(THIS_PLATFORM)]);

  report('running natively …');
  await measureStack(); // Node compiles the code at the first start only
  const stack = await measureStack();
  return {
    ...stack,
    downloadMB,
    testDownloadMB: all.downloadMB,
    nodeMB,
    diskMB: diskMB + stack.runDiskMB,
    testDiskMB: all.diskMB + stack.runDiskMB,
  };
}

/**
 * Installs the packages of this platform in an empty folder.
 *
 * @param {{dev: boolean}} which
 * @returns {Promise<{downloadMB: number, diskMB: number}>}
 */
async function measurePackages({ dev }) {
  const root = temporaryFolder(join(tmpdir(), 'shared-state-packages-'));
  for (const file of ['package.json', 'package-lock.json'])
    cpSync(join(ROOT, file), join(root, file));
  await installPackages(() => {}, { root, dev });
  return {
    downloadMB: await downloadOf(packagesFor(readLock(), [THIS_PLATFORM], { dev })),
    diskMB: megabytes(diskUse(join(root, 'node_modules'))),
  };
}

/**
 * Runs each lesson as a participant does.
 *
 * @returns {Promise<Requirements['lessonSeconds']>}
 * @throws {StackError} if one contradicts its claim
 */
async function measureLessons() {
  const names = readdirSync(join(ROOT, 'workshop'))
    .filter((folder) => /^\d\d-/.test(folder))
    .map((folder) => folder.slice(3));
  /** @type {Requirements['lessonSeconds']} */
  const lessonSeconds = {};
  for (const name of names) {
    const { seconds } = await timed(() => run('npm', ['run', 'lesson', name]));
    lessonSeconds[name] = seconds;
  }
  return lessonSeconds;
}

/** @param {(line: string) => void} report */
async function measureWithDocker(report) {
  const work = temporaryFolder(join(tmpdir(), 'shared-state-measure-'));
  const file = join(work, 'pack.tar');
  const root = join(work, 'shared-state');
  report('packing …');
  const options = { platforms: PLATFORMS, withTests: false, withImages: true };
  const packing = await timed(() => pack(file, options, report));
  await run('tar', ['-xf', file, '-C', work, 'shared-state']);
  const unpacking = await timed(() => unpack(file, root, report));

  const packages = packagesFor(readLock(), [THIS_PLATFORM], { dev: false });
  report('running in containers …');
  const containers = await measureContainers();
  const images = listImages();
  const names = images.map(({ name }) => name);
  const pulled = [...new Set(images.map(({ name, base }) => base ?? name))];
  await pullMissing(pulled);
  const compressed = join(work, 'images.tar.gz');
  await saveImages(pulled, compressed);
  const all = join(work, 'all.tar.gz');
  await saveImages(names, all);
  const layers = Number(await run('sh', ['-c', 'gzip -dc "$0" | wc -c', all]));

  return {
    containers: {
      ...containers,
      downloadMB: megabytes(statSync(compressed).size) + (await downloadOf(packages)),
      diskMB: megabytes(layers),
      images: pulled,
    },
    pack: {
      platforms: PLATFORMS,
      fileMB: megabytes(packing.result.total),
      imagesMB: megabytes(packing.result.images),
      packSeconds: packing.seconds,
      unpackSeconds: unpacking.seconds,
    },
  };
}

/**
 * @template T
 * @param {() => Promise<T>} work
 */
async function timed(work) {
  const since = Date.now();
  const result = await work();
  return { result, seconds: round((Date.now() - since) / 1000) };
}

/** @param {number} number */
function round(number) {
  return Math.round(number * 10) / 10;
}

/** @returns {import('./requirements.mjs').Measured} */
function describeMeasurement() {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const [, system = THIS_PLATFORM] = /^PRETTY_NAME="(.*)"$/m.exec(release) ?? [];
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB of memory`;
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${system}, ${cpus().length} cores, ${memory}`,
    load: round(loadavg()[0] ?? 0),
  };
}

/**
 * The megabytes that npm downloads for some packages: tarballs, and descriptions, which servers
 * send compressed but npm stores uncompressed.
 *
 * @param {string[]} packages as `name@version`
 */
async function downloadOf(packages) {
  const cache = temporaryFolder(join(tmpdir(), 'shared-state-cache-'));
  await fillCache(cache, packages);
  const contents = readdirSync(join(cache, '_cacache/content-v2'), {
    recursive: true,
    withFileTypes: true,
  }).filter((entry) => entry.isFile());
  const sizes = contents.map((entry) => {
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    return Math.min(bytes.length, gzipSync(bytes).length);
  });
  return megabytes(sizes.reduce((sum, size) => sum + size, 0));
}

/**
 * Runs `npm start` on a free port with three instances.
 *
 * @returns {Promise<{memoryMB: number, runDiskMB: number, startSeconds: number}>}
 * @throws {StackError} if it does not start
 */
export async function measureStack() {
  const name = `measure-${randomBytes(4).toString('hex')}`;
  const args = ['start', '--', '--port', '0', '--name', name];
  const npm = start('npm', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const over = ended(npm, 'npm start');
  try {
    const { result: url, seconds } = await timed(() => Promise.race([readyAt(npm), over]));
    await visit(url);
    await delay(REST_MS);
    const memoryMB = megabytes(memoryBelow(npm.pid ?? 0));
    return { memoryMB, runDiskMB: megabytes(diskUse(join(STACKS, name))), startSeconds: seconds };
  } finally {
    npm.kill();
    await over.catch(() => {}); // it ends with the signal
  }
}

/**
 * @param {import('node:child_process').ChildProcess} npm
 * @returns {Promise<string>} the address of the stack
 */
function readyAt(npm) {
  return new Promise((resolve, reject) => {
    const late = () => reject(new StackError(`npm start is not ready after ${START_MS / 1000} s`));
    const timer = setTimeout(late, START_MS);
    npm.on('close', () => clearTimeout(timer));
    npm.stdout?.on('data', (text) => {
      const [, url] = /^ready (\S+) instances=/m.exec(text) ?? [];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}

/** Runs the containers of a Compose project of its own. */
async function measureContainers() {
  const project = `shared-state-measure-${randomBytes(4).toString('hex')}`;
  const env = { ...process.env, COMPOSE_PROJECT_NAME: project, HTTP_PORT: '0' };
  const compose = (/** @type {string[]} */ ...args) => run('docker', ['compose', ...args], { env });
  try {
    await compose('build', '--quiet');
    const { seconds } = await timed(() => compose('up', '--detach', '--wait', '--no-build'));
    await visit(`http://${(await compose('port', 'nginx', '8080')).trim()}`);
    await delay(REST_MS);
    const ids = (await compose('ps', '--quiet')).trim().split('\n');
    const format = ['stats', '--no-stream', '--format', '{{.MemUsage}}'];
    const usages = ask('docker', [...format, ...ids]).stdout.split('\n');
    const memory = usages.reduce((sum, usage) => sum + bytesOf(usage), 0);
    return { memoryMB: megabytes(memory), startSeconds: seconds };
  } finally {
    await compose('down', '--volumes', '--rmi', 'local', '--timeout', '15');
  }
}

/** @param {string} usage as Docker prints it, for example 45.3MiB / 23.5GiB */
function bytesOf(usage) {
  const [, number = 0, unit = ''] = /^([\d.]+)([KMG]i)?B/.exec(usage) ?? [];
  return Number(number) * 1024 ** ['', 'Ki', 'Mi', 'Gi'].indexOf(unit);
}

/**
 * Sends {@link REQUESTS} to the page.
 *
 * @param {string} url
 */
async function visit(url) {
  let left = REQUESTS;
  const visitor = async () => {
    while (left-- > 0) await (await fetch(url)).arrayBuffer();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, visitor));
}

/**
 * Bytes of memory of a process and its descendants. Linux counts shared pages once.
 *
 * @param {number} root a pid
 */
function memoryBelow(root) {
  const processes = listProcesses();
  const pids = [root];
  for (const pid of pids) {
    for (const [child, { ppid }] of processes) if (ppid === pid) pids.push(child);
  }
  return pids.reduce((sum, pid) => sum + memoryOf(pid), 0);
}

/** @param {number} pid */
function memoryOf(pid) {
  const file = `/proc/${pid}/smaps_rollup`;
  const kilobytes = existsSync(file)
    ? /^Pss:\s+(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1]
    : ask('ps', ['-o', 'rss=', '-p', String(pid)]).stdout;
  return Number(kilobytes ?? 0) * 1024;
}

/**
 * Bytes on the disk. A file with several names counts once.
 *
 * @param {string} folder
 */
function diskUse(folder) {
  const seen = new Set();
  /** @type {(path: string) => number} */
  const use = (path) => {
    const its = lstatSync(path);
    if (seen.has(its.ino)) return 0;
    seen.add(its.ino);
    const own = its.blocks * 512;
    if (!its.isDirectory()) return own;
    return readdirSync(path).reduce((sum, name) => sum + use(join(path, name)), own);
  };
  return use(folder);
}
