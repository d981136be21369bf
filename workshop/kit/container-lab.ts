import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StackError } from '../../tools/lib/errors.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.ts';
import type { Action, Lab, NginxChange, Setup, Site } from './lab.ts';

/** Bytes: the log of nginx may be long. */
const OUTPUT_MAX = 64 * 2 ** 20;
/** The folder of the project in the image (services/app/Dockerfile). */
const ROOT_THERE = '/srv';

/** As docker-compose.yml calls what it builds, so that it is built once for all. */
const IMAGES = { app: 'shared-state-app', dashboard: 'shared-state-dashboard' };

/** The lessons on containers: docker-compose.yml, and what a lesson changes in a file beside it. */
export class ContainerLab implements Lab {
  #project: string;
  #folder = mkdtempSync(join(tmpdir(), 'shared-state-lesson-'));
  #site: ContainerSite | undefined;
  #isBuilt = false;

  /** @param name of the project, after `shared-state-`; without one it is a random one */
  constructor(name = `lesson-${randomBytes(4).toString('hex')}`) {
    this.#project = `shared-state-${name}`;
  }

  async start({ env = {}, scale = 3, program, nginx = {} }: Setup = {}): Promise<Site> {
    await this.#end();
    const changes = join(this.#folder, 'changes.json');
    const settings = { NODE_ENV: 'development', ...env };
    const write = (its: Record<string, string>) =>
      writeFileSync(changes, JSON.stringify(this.#changes(its, program, nginx)));
    write(settings);
    const compose = (...words: string[]) => {
      const files = ['--file', join(ROOT, 'docker-compose.yml'), '--file', changes];
      return docker(
        ...['compose', '--project-directory', ROOT, '--project-name', this.#project],
        ...[...files, ...words],
      );
    };
    this.#site = new ContainerSite(compose, (its) => write({ ...settings, ...its }));
    if (!this.#isBuilt) await build(compose);
    this.#isBuilt = true;
    await this.#site.scale(scale);
    await this.#site.find();
    return this.#site;
  }

  get where(): string | undefined {
    return this.#site && `${this.#site.url}   docker compose --project-name ${this.#project} ps`;
  }

  async close(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    await this.#site?.end();
    this.#site = undefined;
  }

  /** What differs from docker-compose.yml; Compose reads JSON too. */
  #changes(environment: Record<string, string>, program: string | undefined, nginx: NginxChange) {
    const workshop = `${join(ROOT, 'workshop')}:${join(ROOT_THERE, 'workshop')}:ro`;
    const changed = [
      this.#changed('nginx/nginx.conf', '/etc/nginx/nginx.conf', nginx.conf),
      this.#changed('nginx/compose/upstream.conf', '/etc/nginx/site/upstream.conf', nginx.upstream),
    ];
    return {
      services: {
        app: {
          image: IMAGES.app,
          environment,
          volumes: [workshop],
          ...(program && { command: ['node', program] }),
        },
        dashboard: { image: IMAGES.dashboard, environment },
        nginx: { volumes: changed.flat() },
      },
    };
  }

  /** A changed copy of a file of nginx, and where it is mounted. */
  #changed(file: string, there: string, change?: (text: string) => string): string[] {
    if (!change) return [];
    const copy = join(this.#folder, file.replaceAll('/', '-'));
    writeFileSync(copy, change(readFileSync(join(ROOT, file), 'utf8')));
    return [`${copy}:${there}:ro`];
  }
}

/** Without a network nothing can be built, and images that were unpacked will do. */
async function build(compose: (...words: string[]) => Promise<string>): Promise<void> {
  try {
    await compose('build', '--quiet');
  } catch (err) {
    await docker('image', 'inspect', ...Object.values(IMAGES)).catch(() => {
      throw err;
    });
    console.error(`the images are those from before: ${(err as Error).message}`);
  }
}

class ContainerSite implements Site {
  url = '';
  #compose: (...words: string[]) => Promise<string>;
  #write: (env: Record<string, string>) => void;
  /** The container of each part that was found. */
  #containers = new Map<string, string>();
  #scale = 0;

  constructor(
    compose: (...words: string[]) => Promise<string>,
    write: (env: Record<string, string>) => void,
  ) {
    this.#compose = compose;
    this.#write = write;
  }

  /** Finds out where nginx is reached, and which container is which part: it takes seconds. */
  async find(): Promise<void> {
    const address = await this.#compose('port', 'nginx', '8080');
    this.url = `http://localhost:${address.trim().split(':').at(-1)}`;
    this.#containers.set('redis', (await this.#compose('ps', '--quiet', 'redis')).trim());
    await this.#findInstances();
  }

  async act(action: Action, part: string): Promise<void> {
    const container = await this.#containerOf(part);
    await docker(ACTIONS[action], container);
    if (action === 'start') await this.scale(this.#scale);
  }

  /** nginx finds the instances by their name. */
  async scale(count: number): Promise<void> {
    this.#scale = count;
    await this.#up('--no-recreate');
  }

  async replaceInstances(env: Record<string, string>): Promise<void> {
    this.#write(env);
    await this.#up();
    await this.#findInstances();
  }

  async limitCpu(share: number): Promise<(() => Promise<void>) | undefined> {
    const ids = (await this.#compose('ps', '--quiet', 'app')).trim().split('\n');
    const limit = async (cpus: number) => {
      await docker('update', '--cpus', String(cpus), ...ids);
    };
    try {
      await limit(share);
    } catch {
      return undefined;
    }
    return async () => {
      await limit(0).catch(() => {}); // some may be gone by now
    };
  }

  async redis(...command: string[]): Promise<string> {
    return (await this.#compose('exec', '-T', 'redis', 'redis-cli', ...command)).trimEnd();
  }

  async accessLog(): Promise<string> {
    return this.#compose('logs', '--no-log-prefix', 'nginx');
  }

  async end(): Promise<void> {
    await this.#compose('down', '--volumes', '--timeout', '10');
  }

  async #up(...options: string[]): Promise<void> {
    await this.#untilRedisIsHealthy();
    const scale = ['--scale', `app=${this.#scale}`];
    await this.#compose('up', '--detach', '--wait', '--no-build', ...options, ...scale);
  }

  /**
   * Docker calls a container that was paused unhealthy until the next check, and Compose does not wait
   * for one that is unhealthy.
   */
  async #untilRedisIsHealthy(): Promise<void> {
    const redis = this.#containers.get('redis');
    if (redis === undefined) return;
    await eventually(async () => {
      const health = await docker('inspect', '--format', '{{.State.Health.Status}}', redis);
      if (health.trim() === 'unhealthy') throw new StackError('redis is unhealthy');
    });
  }

  async #containerOf(part: string): Promise<string> {
    if (!this.#containers.has(part)) await this.#findInstances();
    const found = this.#containers.get(part);
    if (!found) throw new StackError(`there is no "${part}" here`);
    return found;
  }

  async #findInstances(): Promise<void> {
    const ids = (await this.#compose('ps', '--quiet', 'app')).trim().split('\n');
    await Promise.all(ids.map(async (id) => this.#containers.set(await nameOf(id), id)));
  }
}

const ACTIONS: Record<Action, string> = {
  kill: 'kill',
  stop: 'stop',
  start: 'start',
  pause: 'pause',
  resume: 'unpause',
};

/** The name that the instance in a container has taken. */
async function nameOf(container: string): Promise<string> {
  const ask = "console.log((await fetch('http://127.0.0.1:3000/livez')).headers.get('x-instance'))";
  const words = ['exec', '--env', 'NODE_OPTIONS=', container, 'node', '--input-type=module'];
  return (await docker(...words, '--eval', ask)).trim();
}

/**
 * Runs `docker` and resolves to what it printed.
 *
 * @throws {StackError} where it fails
 */
async function docker(...words: string[]): Promise<string> {
  const env = { ...process.env, PORT: '0' };
  try {
    const { stdout } = await promisify(execFile)('docker', words, { env, maxBuffer: OUTPUT_MAX });
    return stdout;
  } catch (err) {
    const { stderr, message } = err as Error & { stderr?: string };
    throw new StackError(`docker ${words[0]}: ${stderr?.trim().split('\n').at(-1) || message}`);
  }
}
