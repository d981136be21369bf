import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { StackError } from '../../tools/lib/errors.mjs';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import type { Action, Deployment, DeploymentOptions } from './environment.ts';

/** Bytes: the log of nginx can be long. */
const MAX_OUTPUT = 64 * 2 ** 20;
/** The same names as in docker-compose.yml, so that Docker builds each image only once. */
const IMAGES = { app: 'shared-state-app', dashboard: 'shared-state-dashboard' };
/** The Docker commands that differ from the name of the action. */
const COMMANDS: Partial<Record<Action, string>> = { resume: 'unpause' };

let isBuilt = false;

/** A stack of containers: docker-compose.yml, and files that change it for the lesson. */
export class ContainerDeployment implements Deployment {
  url = '';
  #options: DeploymentOptions;
  #project: string;
  #folder = mkdtempSync(join(tmpdir(), 'shared-state-lesson-'));
  #overrideFile = join(this.#folder, 'override.json');
  #env: Record<string, string>;
  #scale: number;

  /** @param project the Compose project */
  constructor(options: DeploymentOptions, project: string) {
    this.#options = options;
    this.#project = project;
    this.#env = { NODE_ENV: 'development', ...options.env };
    this.#scale = options.scale ?? 3;
    this.#writeOverride();
  }

  async start(): Promise<void> {
    if (!isBuilt) await this.#build();
    isBuilt = true;
    await this.scale(this.#scale);
    const address = await this.#compose('port', 'nginx', '8080');
    this.url = `http://localhost:${address.split(':').at(-1)}`;
  }

  get location(): string {
    return `${this.url}   docker compose --project-name ${this.#project} ps`;
  }

  async control(action: Action, name: string): Promise<void> {
    await docker(COMMANDS[action] ?? action, `${this.#project}-${name}`);
    if (action === 'start') await this.scale(this.#scale); // waits until it is healthy
  }

  /** nginx finds the instances by DNS, so it needs no update. */
  async scale(count: number): Promise<void> {
    this.#scale = count;
    await this.#up('--no-recreate');
  }

  async replaceInstances(env: Record<string, string>): Promise<void> {
    Object.assign(this.#env, env);
    this.#writeOverride();
    await this.#up();
  }

  async limitCpu(share: number): Promise<(() => Promise<void>) | undefined> {
    const ids = (await this.#compose('ps', '--quiet', 'app')).split('\n');
    const limit = (cpus: number) => docker('update', '--cpus', String(cpus), ...ids);
    try {
      await limit(share);
    } catch {
      return undefined;
    }
    return async () => {
      await limit(0).catch(() => {}); // `scale` may have removed some of the containers
    };
  }

  redis(...command: string[]): Promise<string> {
    return this.#compose('exec', '-T', 'redis', 'redis-cli', ...command);
  }

  /** Docker assigns the addresses. The dashboard learns them from heartbeats. */
  instanceNames(): [] {
    return [];
  }

  accessLog(): Promise<string> {
    return this.#compose('logs', '--no-log-prefix', 'nginx');
  }

  async close(): Promise<void> {
    await this.#compose('down', '--volumes', '--timeout', '10');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Compose reads JSON too. */
  #writeOverride(): void {
    const { program, nginx: { conf, upstream } = {} } = this.#options;
    const changed = (file: string, target: string, change?: (text: string) => string) => {
      if (!change) return [];
      const copy = join(this.#folder, file.replaceAll('/', '-'));
      writeFileSync(copy, change(readFileSync(join(ROOT, file), 'utf8')));
      return [`${copy}:/etc/nginx/${target}:ro`];
    };
    const services = {
      app: {
        image: IMAGES.app,
        environment: this.#env,
        volumes: [`${join(ROOT, 'workshop')}:/srv/workshop:ro`],
        ...(program && { command: ['node', program] }),
      },
      dashboard: { image: IMAGES.dashboard, environment: this.#env },
      nginx: {
        volumes: [
          ...changed('nginx/nginx.conf', 'nginx.conf', conf),
          ...changed('nginx/compose/upstream.conf', 'site/upstream.conf', upstream),
        ],
      },
    };
    writeFileSync(this.#overrideFile, JSON.stringify({ services }));
  }

  /** Falls back to existing images: without a network, a build fails. */
  async #build(): Promise<void> {
    try {
      await this.#compose('build', '--quiet');
    } catch (err) {
      await docker('image', 'inspect', ...Object.values(IMAGES)).catch(() => {
        throw err;
      });
      console.error(`The build failed, so existing images are used: ${(err as Error).message}`);
    }
  }

  async #up(...options: string[]): Promise<void> {
    await this.#untilRedisIsHealthy();
    const scale = ['--scale', `app=${this.#scale}`];
    await this.#compose('up', '--detach', '--wait', '--no-build', ...options, ...scale);
  }

  /** After a pause, Redis stays "unhealthy" until the next check; `up --wait` would fail at once. */
  async #untilRedisIsHealthy(): Promise<void> {
    await eventually(async () => {
      const health = await this.#compose('ps', '--format', '{{.Health}}', 'redis');
      if (health === 'unhealthy') throw new StackError('redis is unhealthy');
    });
  }

  #compose(...args: string[]): Promise<string> {
    const more = this.#options.redis === 'sentinel' ? ['deploy/sentinel/compose.yml'] : [];
    const files = ['docker-compose.yml', ...more, this.#overrideFile];
    return docker(
      ...['compose', '--project-directory', ROOT, '--project-name', this.#project],
      ...[...files.flatMap((file) => ['--file', resolve(ROOT, file)]), ...args],
    );
  }
}

/**
 * Runs `docker`. Resolves to its output.
 *
 * @throws {StackError} if it fails
 */
async function docker(...args: string[]): Promise<string> {
  const env = { ...process.env, HTTP_PORT: '0' };
  try {
    const { stdout } = await promisify(execFile)('docker', args, { env, maxBuffer: MAX_OUTPUT });
    return stdout.trim();
  } catch (err) {
    const { stderr, message } = err as Error & { stderr?: string };
    throw new StackError(`docker ${args[0]}: ${stderr?.trim().split('\n').at(-1) || message}`);
  }
}
