import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackError, UsageError } from '../lib/errors.ts';
import { Guard } from './guard.ts';
import { Instance } from './instance.ts';
import { Nginx } from './nginx.ts';
import type { Part, Status, Surroundings } from './part.ts';
import { freePort, isPortFree } from './port.ts';
import { Redis } from './redis.ts';
import { roomUrl } from './room.ts';
import { findTools } from './tools.ts';

/** The most instances of one stack. */
export const MAX_SCALE = 32;

/** How a stack is to be. */
export interface StackOptions {
  /** Tells stacks apart; without it a random one. */
  name?: string;
  /** How many instances; 3 if not said. */
  scale?: number;
  /** The TCP port of nginx; 0 or nothing for any free one. */
  port?: number;
  /** The address that nginx listens on; loopback if not said. */
  bind?: string;
  /** The file that an instance runs, as seen from the folder of the project; services/app/main.ts if not said. */
  program?: string;
  /** Environment variables for the instances, or what gives those of one at each of its starts. */
  env?: NodeJS.ProcessEnv | ((name: string) => NodeJS.ProcessEnv);
  /** Is told what happens, a line at a time. */
  report?: (line: string) => void;
}

/** The folder of everything that a stack writes. */
export function folderOf(name: string): string {
  return join(tmpdir(), `shared-state-${process.getuid?.() ?? 0}-${name}`);
}

/** nginx, Redis and some instances as local processes: what docker-compose.yml describes, without Docker. */
export class Stack implements AsyncDisposable {
  readonly nginx: Nginx;
  readonly redis: Redis;
  readonly dashboard: Instance;
  readonly folder: string;
  #instances: Instance[] = [];
  #around: Surroundings;
  #program: string;
  #envOf: (name: string) => NodeJS.ProcessEnv;

  /**
   * Starts a stack. Resolves when all of its parts are ready.
   *
   * @throws {StackError} where a program is missing, the port is taken or a part does not start;
   * nothing is left running then
   */
  static async start(options: StackOptions = {}): Promise<Stack> {
    const { name = randomBytes(4).toString('hex'), scale = 3, bind = '127.0.0.1' } = options;
    const report = options.report ?? (() => {});
    const tools = findTools(report);
    const folder = makeFolder(folderOf(name));
    const port = options.port || (await freePort(bind));
    if (!(await isPortFree(port, bind))) {
      rmSync(folder, { recursive: true });
      throw new StackError(`port ${port} is taken; choose another: npm start -- --port 8081`);
    }
    const around: Surroundings = { folder, guard: new Guard(folder), report };
    const redis = new Redis(tools.redis, await freePort('127.0.0.1'), around);
    const nginx = new Nginx(tools.nginx, bind, port, around);
    const stack = new Stack(nginx, redis, await freePort('127.0.0.1'), options, around);
    try {
      await all([redis.start(), stack.dashboard.start(), stack.scale(scale)]);
      await nginx.start();
    } catch (err) {
      await stack.close();
      throw err;
    }
    return stack;
  }

  private constructor(
    nginx: Nginx,
    redis: Redis,
    dashboardPort: number,
    { program = 'services/app/main.ts', env = process.env }: StackOptions,
    around: Surroundings,
  ) {
    this.nginx = nginx;
    this.redis = redis;
    this.folder = around.folder;
    this.#around = around;
    this.#program = program;
    this.#envOf = (name) => ({
      ...(this.roomUrl && { PUBLIC_URL: this.roomUrl }),
      ...(typeof env === 'function' ? env(name) : env),
      REDIS_URL: redis.url,
      BIND: nginx.bind,
    });
    this.dashboard = this.#newInstance('dashboard', 'services/dashboard/main.ts', dashboardPort);
  }

  /** Where the stack is reached. */
  get url(): string {
    return `http://localhost:${this.nginx.port}`;
  }

  /** Where an audience reaches it; `undefined` where it listens on this machine alone. */
  get roomUrl(): string | undefined {
    return roomUrl(this.nginx.bind, this.nginx.port);
  }

  get instances(): readonly Instance[] {
    return this.#instances;
  }

  /** How each part is now. */
  async ps(): Promise<Status[]> {
    return Promise.all(this.#parts().map((part) => part.status()));
  }

  /**
   * The part of a name: `nginx`, `redis`, `dashboard`, `app-1`, `app-2` and so on.
   *
   * @throws {UsageError} where there is none
   */
  part(name: string): Part {
    const parts = this.#parts();
    const part = parts.find((candidate) => candidate.name === name);
    if (!part) {
      const names = parts.map((candidate) => candidate.name).join(', ');
      throw new UsageError(`there is no "${name}" here, only ${names}`);
    }
    return part;
  }

  /**
   * Runs `count` instances: starts what is missing or dead, then lets nginx know, and ends what is
   * too many once nginx sends it nothing any more.
   *
   * @throws {UsageError} where `count` is no whole number from 1 to {@link MAX_SCALE}
   */
  async scale(count: number): Promise<void> {
    if (!Number.isInteger(count) || count < 1 || count > MAX_SCALE) {
      throw new UsageError(`the number of instances must be a whole number from 1 to ${MAX_SCALE}`);
    }
    const surplus = this.#instances.splice(count);
    while (this.#instances.length < count) {
      const name = `app-${this.#instances.length + 1}`;
      this.#instances.push(this.#newInstance(name, this.#program, await freePort('127.0.0.1')));
    }
    const missing = this.#instances.filter((instance) => !instance.isRunning);
    await all(missing.map((instance) => instance.start()));
    const app = this.#instances.map((instance) => instance.port);
    this.nginx.write({ app, dashboard: [this.dashboard.port] });
    await this.nginx.reload();
    await all(surplus.filter((part) => part.isRunning).map((part) => part.stop()));
  }

  /** Ends all processes, in the order of a request's way, and removes what they wrote. */
  async close(): Promise<void> {
    this.#around.isEnding = true;
    for (const parts of [[this.nginx], [this.dashboard, ...this.#instances], [this.redis]]) {
      await all(parts.filter((part) => part.isRunning).map((part) => part.stop()));
    }
    rmSync(this.folder, { recursive: true, force: true });
    await this.#around.guard.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #newInstance(name: string, program: string, port: number): Instance {
    return new Instance(name, program, port, () => this.#envOf(name), this.#around);
  }

  #parts(): Part[] {
    return [this.nginx, this.redis, this.dashboard, ...this.#instances];
  }
}

/** Waits for all of them, and only then fails with the first that failed. */
async function all(work: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

/**
 * Makes the folder of a stack, or takes over one that a dead launcher has left. Others may look for
 * files in it whose names they know, as the workers of nginx must when it runs as root.
 */
function makeFolder(folder: string): string {
  const owner = join(folder, 'launcher.pid');
  try {
    mkdirSync(folder, { mode: 0o711 });
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
    if (isAlive(owner))
      throw new StackError('it runs already; for one more: npm start -- --name blue --port 8081');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o711 });
  }
  writeFileSync(owner, String(process.pid));
  return folder;
}

function isAlive(pidFile: string): boolean {
  try {
    return process.kill(Number(readFileSync(pidFile, 'utf8')), 0);
  } catch {
    return false;
  }
}
