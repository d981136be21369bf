import { randomBytes } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { quoted, StackError, UsageError } from '../lib/errors.mjs';
import { findTools } from '../lib/programs.mjs';
import { ROOT } from '../lib/root.mjs';
import { createStackFolder, DEFAULT_NAME } from './folder.ts';
import { compileOnce, Instance } from './instance.ts';
import { limitLogs } from './log-limit.ts';
import type { ManagedProcess, ProcessStatus, StackContext } from './managed-process.ts';
import { Nginx, type NginxOptions, type NginxPorts } from './nginx.ts';
import { assertFree, freePort, freePorts } from './port.ts';
import { publicUrl, urlOf } from './public-url.ts';
import type { Redis } from './redis.ts';
import { redisCluster } from './redis-cluster.ts';
import { sentinelRedis } from './redis-sentinel.ts';
import { type RedisTopology, singleRedis } from './redis-topology.ts';
import { Watchdog } from './watchdog.ts';

/** The largest number of instances. */
export const MAX_SCALE = 32;

/** The ways to run Redis, each with the folder of its data and its number of ports. */
export const TOPOLOGIES = {
  single: { create: singleRedis, data: 'redis', ports: 1 },
  sentinel: { create: sentinelRedis, data: 'redis-sentinel', ports: 6 },
  cluster: { create: redisCluster, data: 'redis-cluster', ports: 12 },
};

/** `REDIS_TOPOLOGY=cluster npm test` runs the tests on another one. */
const { REDIS_TOPOLOGY } = process.env;
const DEFAULT_TOPOLOGY = (REDIS_TOPOLOGY || 'single') as keyof typeof TOPOLOGIES;

type Ports = NginxPorts & { dashboard: number };

export interface StackOptions extends NginxOptions {
  /** The name of the stack; by default a random one, and the cookie of the default stack. */
  name?: string;
  /** Keeps the data of Redis if this process is killed, and starts with what such a stack has left. */
  keepData?: boolean;
  /** How Redis runs; as REDIS_TOPOLOGY says, or one process, by default. */
  redis?: keyof typeof TOPOLOGIES;
  /** The number of instances; 3 by default. */
  scale?: number;
  /** The TCP port of nginx; any free one by default or if 0. */
  port?: number;
  /** The address that nginx listens on; loopback by default. */
  bind?: string;
  /** The program of an instance: a folder of services, or a file relative to the project. */
  program?: string;
  /** The environment of all services, or a function of the instance; read at each of its starts. */
  env?: NodeJS.ProcessEnv | ((instance: string) => NodeJS.ProcessEnv);
  /** Installs missing programs if that is possible; true by default. */
  install?: boolean;
  /** Shows the user one line. */
  report?: (line: string) => void;
}

/** nginx, Redis, the dashboard and some instances as local processes, like docker-compose.yml. */
export class Stack implements AsyncDisposable {
  readonly nginx: Nginx;
  readonly topology: RedisTopology;
  readonly dashboard: Instance;
  readonly folder: string;
  #instances: Instance[] = [];
  #context: StackContext;
  #logLimit: NodeJS.Timeout;
  #scheme: 'http' | 'https';
  #program: string;
  #env: (instance: string) => NodeJS.ProcessEnv;
  /** Replaces variables of the environment. */
  #settings: Record<string, string> = {};

  /**
   * Starts a stack. Resolves when all of its processes are ready.
   *
   * @throws {StackError} if a program is missing, the port is in use, or a process does not start;
   * no process is left running then
   */
  static async start(options: StackOptions = {}): Promise<Stack> {
    const { bind = '127.0.0.1', port = 0, install = true, report = () => {} } = options;
    const { name = randomBytes(4).toString('hex'), keepData = false } = options;
    const { redis = DEFAULT_TOPOLOGY } = options;
    const program = programFile(options.program ?? 'app');
    const tools = findTools(report, install);
    const [dashboard, status] = await freePorts(2);
    const ports = { nginx: port || (await freePort(bind)), status, dashboard } as Ports;
    await assertFree(ports.nginx, bind);
    const { create, data, ports: count } = TOPOLOGIES[redis];
    const redisPorts = await freePorts(count);
    const folder = await createStackFolder(name, keepData ? data : undefined);
    const keepFolder = existsSync(join(folder, data));
    if (keepFolder) report('Continuing with the data of a stack that was killed.');
    const context = { folder, watchdog: new Watchdog(folder, report), report };
    context.watchdog.keepFolder(keepFolder);
    const topology = create(tools.redis, redisPorts, context);
    const stack = new Stack({ ...options, bind }, program, tools.nginx, topology, ports, context);
    try {
      const redisStarted = topology.start();
      await compileOnce();
      // A machine with few cores takes too long for a dozen processes that start at once.
      if (redis !== 'single') await redisStarted;
      const scaled = stack.scale(options.scale ?? 3);
      await all([redisStarted, stack.dashboard.start(), scaled]);
      await stack.nginx.start();
      context.watchdog.keepFolder(keepData);
      return stack;
    } catch (err) {
      await stack.close({ keepFolder });
      throw err;
    }
  }

  private constructor(
    options: StackOptions & { bind: string },
    program: string,
    nginx: string,
    topology: RedisTopology,
    ports: Ports,
    context: StackContext,
  ) {
    const { bind, env = process.env, tls } = options;
    this.#program = program;
    this.folder = context.folder;
    this.#context = context;
    this.#logLimit = limitLogs(context.folder);
    this.nginx = new Nginx(nginx, bind, ports, context, options);
    this.#scheme = tls ? 'https' : 'http';
    this.topology = topology;
    // The app agrees on a secret through Redis; a simpler program requires one.
    const secret = program === programFile('app') ? '' : randomBytes(32).toString('base64url');
    const others = { REDIS_URL_FILE: '', REDIS_PASSWORD: '', REDIS_PASSWORD_FILE: '' };
    const redisOnly = { REDIS_URL: topology.url, ...others };
    this.#env = (instance) => {
      const own = { ...(typeof env === 'function' ? env(instance) : env), ...this.#settings };
      const SESSION_SECRET = own.SESSION_SECRET || secret;
      const SESSION_COOKIE_NAME = own.SESSION_COOKIE_NAME || cookieName(options.name, this.#scheme);
      const fixed = { SESSION_SECRET, SESSION_COOKIE_NAME, ...redisOnly, BIND: bind };
      return { PUBLIC_URL: this.publicUrl, ...own, ...fixed };
    };
    this.dashboard = this.#newInstance('dashboard', programFile('dashboard'), ports.dashboard);
  }

  /** The only Redis, or the first one of the topology. */
  get redis(): Redis {
    return this.topology.processes[0];
  }

  /** The address for this machine. */
  get url(): string {
    const { bind, port } = this.nginx;
    const isLocalhost = ['127.0.0.1', '0.0.0.0', '::1', '::'].includes(bind);
    return urlOf(this.#scheme, isLocalhost ? 'localhost' : bind, port);
  }

  /** The address for other machines; `undefined` if they cannot reach the stack. */
  get publicUrl(): string | undefined {
    return publicUrl(this.#scheme, this.nginx.bind, this.nginx.port);
  }

  get instances(): readonly Instance[] {
    return this.#instances;
  }

  get #processes(): ManagedProcess[] {
    return [this.nginx, ...this.topology.processes, this.dashboard, ...this.#instances];
  }

  /** The status of each process. */
  async ps(): Promise<ProcessStatus[]> {
    return Promise.all(this.#processes.map((process) => process.status()));
  }

  /**
   * Finds a process by its name: `nginx`, `redis`, `dashboard`, `app-1`, `app-2` and so on. With more
   * than one Redis these are `redis-1`, `sentinel-1` and so on.
   *
   * @throws {UsageError} if there is none
   */
  process(name: string): ManagedProcess {
    const found = this.#processes.find((process) => process.name === name);
    if (found) return found;
    const names = this.#processes.map((process) => process.name).join(', ');
    throw new UsageError(`There is no process ${quoted(name)}; choose one of ${names}.`);
  }

  /**
   * Runs `count` instances: starts missing and dead instances, reloads nginx, and then ends the
   * surplus instances, which nginx no longer uses.
   *
   * @throws {UsageError} if `count` is not a whole number from 1 to 32
   */
  async scale(count: number): Promise<void> {
    if (!Number.isInteger(count) || count < 1 || count > MAX_SCALE) {
      throw new UsageError(
        `The number of instances must be a whole number from 1 to ${MAX_SCALE}.`,
      );
    }
    while (this.#instances.length < count) {
      const name = `app-${this.#instances.length + 1}`;
      this.#instances.push(this.#newInstance(name, this.#program, await freePort()));
    }
    const missing = this.#instances.slice(0, count).filter((instance) => !instance.isRunning);
    await all(missing.map((instance) => instance.start()));
    const surplus = this.#instances.splice(count);
    const app = this.#instances.map((instance) => instance.port);
    this.nginx.write({ app, dashboard: [this.dashboard.port] });
    await this.nginx.reload();
    await stopAll(surplus);
  }

  /**
   * Sets environment variables of all services, and restarts the running services that read them.
   * The first instance shows whether the app accepts them. Then it serves while the others restart,
   * so that no request fails. Meanwhile the settings are mixed, which is short enough to ignore.
   *
   * @param settings an empty value stands for the default
   * @throws {StackError} with the reason of a service that refuses; the former settings are in force
   */
  async set(settings: Record<string, string>): Promise<void> {
    const { commonVariables } = await import('../../services/shared/process/config.ts');
    const isCommon = Object.keys(settings).some((name) => name in commonVariables.shape);
    const services = isCommon ? [...this.#instances, this.dashboard] : this.#instances;
    const running = services.filter(({ isRunning }) => isRunning);
    const former = this.#settings;
    const changed: Instance[] = [];
    this.#settings = { ...former, ...settings };
    try {
      for (const group of [running.slice(0, 1), running.slice(1)]) {
        changed.push(...group);
        await all(group.map((service) => service.restart()));
      }
    } catch (err) {
      this.#settings = former;
      await all(changed.map((service) => service.restart()));
      const { message } = err as Error;
      throw new StackError(`${message}; the former settings are in force again`, { cause: err });
    }
  }

  /**
   * Ends all processes, in the order in which a request meets them, and removes their files.
   *
   * @param options `keepFolder`: for the next stack of the same name
   */
  async close(options: { keepFolder?: boolean } = {}): Promise<void> {
    this.#context.isClosing = true;
    if (!options.keepFolder) this.#context.watchdog.keepFolder(false);
    await stopAll([this.nginx]);
    await stopAll([this.dashboard, ...this.#instances]);
    await stopAll(this.topology.processes);
    clearInterval(this.#logLimit);
    await this.#context.watchdog.close(options);
  }

  #newInstance(name: string, program: string, port: number): Instance {
    return new Instance(name, program, port, () => this.#env(name), this.#context);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The file of a program that is given as a file or as the name of a service. */
function programFile(program: string): string {
  const files = [`services/${program}/main.ts`, program].map((file) => resolve(ROOT, file));
  const file = files.find((candidate) => candidate.endsWith('.ts') && existsSync(candidate));
  if (file) return file;
  const known = globSync('*/main.ts', { cwd: join(ROOT, 'services') })
    .map(dirname)
    .sort();
  throw new UsageError(
    `There is no program ${quoted(program)}; choose one of ${known.join(', ')}.`,
  );
}

/**
 * Browsers send a cookie to every port of a host, so each named stack has a cookie of its own. With
 * TLS too: a browser with a `Secure` cookie refuses one of the same name over plain HTTP.
 */
function cookieName(stack = DEFAULT_NAME, scheme = 'http'): string {
  const name = stack === DEFAULT_NAME ? 'connect.sid' : `connect.sid.${stack}`;
  return scheme === 'https' ? `__Host-${name}` : name;
}

/** Waits for all of them, then fails with the first error. */
async function all(work: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

function stopAll(processes: ManagedProcess[]): Promise<void> {
  return all(processes.filter(({ isRunning }) => isRunning).map((process) => process.stop()));
}
