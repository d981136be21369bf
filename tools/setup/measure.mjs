// @ts-check
// npm run preflight -- --measure: what the stack needs, seen on this machine.
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { findDocker, imagesWanted } from './docker.mjs';
import { fillCache, pack, pullMissing, saveImages, tar } from './pack.mjs';
import { nodePackage, packagesFor, readLock, THIS_PLATFORM } from './packages.mjs';
import { ask, CannotDo, ended, megabytes, ROOT, start } from './programs.mjs';
import { listProcesses } from './stacks.mjs';
import { temporaryFolder } from './task.mjs';
import { unpack } from './unpack.mjs';

/** Requests before memory is read, and how many at once: each is a new visitor. */
const REQUESTS = 2000;
const AT_ONCE = 20;
/** Milliseconds of rest before memory is read, and within which a stack must be ready. */
const REST_MS = 2000;
const START_MS = 30_000;

/**
 * Measures everything; takes minutes, and downloads the packages for all platforms.
 *
 * @param {(line: string) => void} report
 * @returns {Promise<import('./needs.mjs').Needs>}
 * @throws {CannotDo} where the stack does not run here both natively and in containers
 */
export async function measure(report) {
  const { missing } = findDocker();
  if (missing) throw new CannotDo(`it has to be measured in containers, too; of Docker ${missing}`);
  const work = temporaryFolder(join(tmpdir(), 'shared-state-measure-'));
  const file = join(work, 'pack.tar');
  const lock = readLock();

  // Before it makes work itself.
  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10;
  report('packing ...');
  const packing = await timed(() => pack(file, { withImages: true }, report));
  await tar(['-xf', file, '-C', work, 'shared-state']);
  const root = join(work, 'shared-state');
  const unpacking = await timed(() => unpack(file, root, report));

  report('downloading the packages for this platform alone ...');
  const cache = join(work, 'cache');
  const node = nodePackage(lock, THIS_PLATFORM);
  await fillCache(cache, [...packagesFor(lock, [THIS_PLATFORM]), node]);
  const all = cachedBytes(cache);
  const withoutDev = packagesFor(lock, [THIS_PLATFORM], { all: false });

  report('running it natively ...');
  await measureNative(); // has Node compile the code, as only the first start ever does
  const native = await measureNative();

  report('running it in containers ...');
  const containers = await measureContainers();
  const images = imagesWanted();
  const pulled = [...new Set(images.map(({ name, from }) => from ?? name))];
  await pullMissing(pulled);
  const compressed = join(work, 'images.tar.gz');
  await saveImages(pulled, compressed);
  const layers = await saveImages(
    images.map(({ name }) => name),
    join(work, 'all.tar.gz'),
  );

  return {
    measured: { date: new Date().toISOString().slice(0, 10), machine: describeMachine(), load },
    native: {
      ...native,
      downloadMB: megabytes(all),
      diskMB: megabytes(diskUse(join(root, 'node_modules'))) + native.runDiskMB,
    },
    containers: {
      ...containers,
      downloadMB: megabytes(statSync(compressed).size + cachedBytes(cache, withoutDev)),
      diskMB: megabytes(layers),
      images: pulled,
    },
    pack: {
      platforms: packing.result.platforms,
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
  return { result, seconds: secondsSince(since) };
}

/** @param {number} since in milliseconds */
function secondsSince(since) {
  return Math.round((Date.now() - since) / 100) / 10;
}

function describeMachine() {
  const system = existsSync('/etc/os-release')
    ? /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
    : undefined;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB of memory`;
  return `${system ?? THIS_PLATFORM}, ${cpus().length} cores, ${memory}`;
}

/**
 * Runs `npm start` on a free port, with the usual three instances, and ends it.
 *
 * @returns {Promise<{memoryMB: number, runDiskMB: number, startSeconds: number}>}
 * @throws {CannotDo} where it does not start
 */
export async function measureNative() {
  const name = `measure-${randomBytes(4).toString('hex')}`;
  const since = Date.now();
  const words = ['start', '--', '--port', '0', '--name', name];
  const npm = start('npm', words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const over = ended(npm, 'npm start');
  try {
    const url = await Promise.race([readyAt(npm), over]);
    const startSeconds = secondsSince(since);
    await visit(url);
    await delay(REST_MS);
    const memoryMB = megabytes(memoryBelow(npm.pid ?? 0));
    const folder = join(tmpdir(), `shared-state-${process.getuid?.() ?? 0}-${name}`);
    return { memoryMB, runDiskMB: megabytes(diskUse(folder)), startSeconds };
  } finally {
    npm.kill();
    await over.catch(() => {}); // npm ends as its signal says
  }
}

/**
 * @param {import('node:child_process').ChildProcess} npm
 * @returns {Promise<string>} the address of the stack
 */
function readyAt(npm) {
  return new Promise((resolve, reject) => {
    let text = '';
    const late = () => reject(new CannotDo(`npm start is not ready after ${START_MS / 1000} s`));
    const timer = setTimeout(late, START_MS);
    npm.on('close', () => clearTimeout(timer));
    npm.stdout?.on('data', (chunk) => {
      text += chunk;
      const [, url] = /^ready (\S+) instances=/m.exec(text) ?? [];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}

/** The containers of a project of its own, which are removed again. */
async function measureContainers() {
  const project = `shared-state-measure-${randomBytes(4).toString('hex')}`;
  const env = { ...process.env, COMPOSE_PROJECT_NAME: project, PORT: '0' };
  /** @param {string[]} words */
  const compose = (...words) => {
    const args = ['compose', ...words];
    const child = start('docker', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    return ended(child, `docker compose ${words[0]}`);
  };
  try {
    await compose('build', '--quiet');
    const since = Date.now();
    await compose('up', '--detach', '--wait', '--no-build');
    const startSeconds = secondsSince(since);
    await visit(`http://${(await compose('port', 'nginx', '8080')).trim()}`);
    await delay(REST_MS);
    const ids = (await compose('ps', '--quiet')).trim().split('\n');
    const format = ['stats', '--no-stream', '--format', '{{.MemUsage}}'];
    const usages = ask('docker', [...format, ...ids]).stdout.split('\n');
    const memory = usages.reduce((sum, usage) => sum + bytesOf(usage), 0);
    return { memoryMB: megabytes(memory), startSeconds };
  } finally {
    await compose('down', '--volumes', '--rmi', 'local', '--timeout', '15');
  }
}

/**
 * @param {string} usage as Docker writes it: 45.3MiB / 23.5GiB
 */
function bytesOf(usage) {
  const [, number = 0, unit = ''] = /^([\d.]+)([KMG]i)?B/.exec(usage) ?? [];
  /** @type {Record<string, number>} */
  const factors = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };
  return Number(number) * (factors[unit] ?? 1);
}

/**
 * Sends {@link REQUESTS} to the page.
 *
 * @param {string} url
 */
async function visit(url) {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  let left = REQUESTS;
  const visitor = async () => {
    while (left-- > 0) {
      await new Promise((resolve, reject) => {
        get(url, { agent }, (res) => res.resume().on('end', resolve)).on('error', reject);
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  agent.destroy();
}

/**
 * The memory of a process and all that it has started, pages that they share counted once where
 * the system tells (Linux).
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
 * Bytes on the disk, a file with several names counted once.
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

/**
 * What npm has loaded into a cache: the packages as they came, and what it was told of them, which
 * comes compressed.
 *
 * @param {string} cache
 * @param {string[]} [packages] only these, as `name@version`
 */
function cachedBytes(cache, packages) {
  const names = packages?.map((its) => its.slice(0, its.lastIndexOf('@')));
  const counted = new Map();
  for (const { key, integrity, size } of cacheEntries(join(cache, '_cacache/index-v5'))) {
    const [, spec] = /^pacote:tarball:(.*)$/.exec(key) ?? [];
    if (spec) {
      if (!packages || packages.includes(spec)) counted.set(integrity, size);
      continue;
    }
    if (key.endsWith('.tgz')) continue; // the same as above, under another name
    const name = decodeURIComponent(new URL(key.slice(key.indexOf('http'))).pathname.slice(1));
    if (names && !names.includes(name)) continue;
    counted.set(integrity, gzipSync(readFileSync(contentOf(cache, integrity))).length);
  }
  return [...counted.values()].reduce((sum, size) => sum + size, 0);
}

/**
 * @param {string} folder of npm's index: files of lines, each a checksum, a tab and an entry
 * @returns {{key: string, integrity: string, size: number}[]}
 */
function cacheEntries(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return cacheEntries(path);
    const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line.slice(line.indexOf('\t') + 1)));
  });
}

/**
 * @param {string} cache
 * @param {string} integrity as in sha512-BASE64
 */
function contentOf(cache, integrity) {
  const [algorithm = '', digest = ''] = integrity.split(/-(.*)/);
  const hex = Buffer.from(digest, 'base64').toString('hex');
  const parts = [algorithm, hex.slice(0, 2), hex.slice(2, 4), hex.slice(4)];
  return join(cache, '_cacache/content-v2', ...parts);
}
