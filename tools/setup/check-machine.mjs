// @ts-check
// The machine and its networks: the port, memory, disk, and the address for the room.
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { freemem, networkInterfaces, tmpdir } from 'node:os';
import { PROJECT } from './docker.mjs';
import { ask, isWsl, megabytes, ROOT } from './programs.mjs';
import { findStacks } from './stacks.mjs';

/** How the networks are called that only this machine is in: Docker's, virtual machines', tunnels. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|bridge|utun|tun|tap|zt|tailscale|wg)/;

/** @typedef {import('./checks.mjs').Finding} Finding */
/** @typedef {import('./checks.mjs').Way} Way */
/** @typedef {import('./needs.mjs').Needs} Needs */

/** @type {Way[]} */
const BOTH = ['natively', 'in containers'];

/**
 * Whether this is a system that the stack runs on.
 *
 * @returns {Finding}
 */
export function checkSystem(platform = process.platform, wsl = isWsl()) {
  const name = 'system';
  if (platform === 'win32') {
    const mend = 'wsl --install, then all of this in its terminal; or Docker Desktop';
    return { name, found: 'Windows, outside of WSL', mend, stops: ['natively'] };
  }
  const found = wsl ? 'Linux in WSL' : { darwin: 'macOS', linux: 'Linux' }[String(platform)];
  return { name, found: `${found ?? platform}, ${process.arch}` };
}

/**
 * Whether nginx can have its port.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./docker.mjs').Docker} docker
 * @returns {Promise<Finding>}
 */
export async function checkPort(env, docker) {
  const name = 'port';
  const text = env.PORT || '8080';
  const host = env.BIND || '127.0.0.1';
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    const mend = 'PORT=8080, or no PORT at all';
    return { name, found: `PORT=${text} is no port`, mend, stops: BOTH };
  }
  if (port === 0) return { name, found: 'any free one' };
  const code = await listen(port, host);
  const other = 'npm start -- --port 8081  or  PORT=8081 docker compose up';
  if (!code) return { name, found: `${port} is free on ${host}` };
  if (code === 'EADDRNOTAVAIL' || code === 'EINVAL' || code === 'ENOTFOUND') {
    const mend = 'BIND=0.0.0.0 for the room, or no BIND at all';
    return { name, found: `BIND=${host} is no address here`, mend, stops: BOTH };
  }
  if (code !== 'EADDRINUSE') {
    return { name, found: `${port}: ${code}`, mend: other, stops: BOTH };
  }
  const stack = findStacks().find((its) => its.port === port && its.kind !== 'left over');
  const container = docker.engine ? containerAt(port) : undefined;
  if (stack || container?.startsWith(`${PROJECT}-`)) {
    const whose = stack ? `the stack "${stack.name}"` : `the container ${container}`;
    const byHand = stack && stack.kind !== 'ours';
    const mend = byHand ? `kill ${stack.launcher}  ends it` : 'npm run reset  ends it';
    return { name, found: `${port}: ${whose} is running, of this project`, mend };
  }
  const holder = container ? `the container ${container}` : holderOf(port);
  const found = `${port} is taken${holder ? ` by ${holder}` : ''}`;
  return { name, found, mend: other, stops: BOTH };
}

/**
 * @param {number} port
 * @param {string} host
 * @returns {Promise<string | undefined>} the code of the error, if any
 */
function listen(port, host) {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', (err) => resolve(/** @type {NodeJS.ErrnoException} */ (err).code));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

/** @param {number} port */
function containerAt(port) {
  const { stdout } = ask('docker', [
    ...['ps', '--filter', `publish=${port}`],
    ...['--format', '{{.Names}}'],
  ]);
  return stdout.split('\n')[0] || undefined;
}

/**
 * Who listens, where a program tells: root sees all, others their own.
 *
 * @param {number} port
 */
function holderOf(port) {
  const { stdout } = ask('ss', ['-Hltnp', `sport = :${port}`]);
  const [, program, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout) ?? [];
  if (program) return `${program}, pid ${pid}`;
  const { stdout: fields } = ask('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']);
  const [, its, command] = /^p(\d+)\nc(.+)$/m.exec(fields) ?? [];
  return command && `${command}, pid ${its}`;
}

/** Bytes that programs can still have. */
export function freeMemory() {
  if (existsSync('/proc/meminfo')) {
    const [, kilobytes] =
      /^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
    if (kilobytes) return Number(kilobytes) * 1024;
  }
  if (process.platform !== 'darwin') return freemem();
  // What macOS calls free is little; it gives up the others when somebody wants them.
  const { stdout } = ask('vm_stat', []);
  const [, size = 0] = /page size of (\d+)/.exec(stdout) ?? [];
  const pages = [...stdout.matchAll(/^Pages (?:free|inactive|purgeable|speculative):\s+(\d+)/gm)];
  return pages.reduce((sum, [, count]) => sum + Number(count) * Number(size), 0) || freemem();
}

/**
 * @param {Needs} needs
 * @param {number} bytes that are free
 * @returns {Finding}
 */
export function checkMemory({ native, containers }, bytes) {
  const name = 'memory';
  const free = megabytes(bytes);
  const wanted = Math.max(native.memoryMB, containers.memoryMB);
  if (free >= wanted) return { name, found: `${free} MB free` };
  const found = `${free} MB free, ${wanted} MB wanted`;
  return { name, found, mend: 'end other programs, or run fewer: npm start -- --scale 2' };
}

/**
 * The disk under the checkout and the one under the temporary files; often it is one.
 *
 * @param {Needs} needs
 * @param {{natively: boolean, inContainers: boolean}} missing which of them still has to be put there
 * @returns {Finding[]}
 */
export function checkDisk(needs, missing, freeIn = freeDisk) {
  /** @type {(name: string, folder: string, wanted: number, way: Way) => Finding} */
  const check = (name, folder, wanted, way) => {
    const free = megabytes(freeIn(folder));
    if (free >= wanted) return { name, found: `${free} MB free at ${folder}` };
    const found = `${free} MB free at ${folder}, ${wanted} MB wanted`;
    return { name, found, mend: 'make room there', stops: [way] };
  };
  const { native, containers } = needs;
  const findings = [
    check('disk', ROOT, missing.natively ? native.diskMB : native.runDiskMB, 'natively'),
    check('temporary files', tmpdir(), native.runDiskMB, 'natively'),
  ];
  if (!missing.inContainers) return findings;
  const root = ask('docker', ['info', '--format', '{{.DockerRootDir}}']).stdout;
  // Docker Desktop's is inside of its virtual machine.
  if (!existsSync(root)) return findings;
  return [...findings, check("Docker's disk", root, containers.diskMB, 'in containers')];
}

/** @param {string} folder */
function freeDisk(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/**
 * Where the room reaches this machine: as tools/stack/public-url.ts finds it.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {ReturnType<typeof networkInterfaces>} networks
 * @returns {Finding}
 */
export function checkRoom(env, networks, wsl = isWsl()) {
  const name = 'room';
  const port = env.PORT || '8080';
  if (env.PUBLIC_URL) return { name, found: `${env.PUBLIC_URL}, as PUBLIC_URL says` };
  const real = Object.entries(networks)
    .flatMap(([network, its = []]) => (VIRTUAL.test(network) ? [] : its))
    .find(({ internal, family }) => !internal && family === 'IPv4');
  if (!real) {
    const found = 'no network: on this machine everything works, but nobody can join';
    return { name, found, mend: 'a hotspot of this machine or a phone, no internet needed' };
  }
  const url = `http://${real.address}:${port}`;
  if (wsl) {
    const found = `${url} is an address inside of Windows only`;
    const mend = 'networkingMode=mirrored in .wslconfig of Windows, then wsl --shutdown';
    return { name, found, mend };
  }
  return { name, found: `${url}  (BIND=0.0.0.0 npm start)` };
}
