import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { limitCpu, type Quota } from '../../tools/lib/cpu-quota.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { startControlServer } from '../../tools/stack/control-server.ts';
import { uncaughtError } from '../../tools/stack/instance.ts';
import { faultInjectionSettings } from '../../tools/stack/public-url.ts';
import { Stack } from '../../tools/stack/stack.ts';
import type { Action, Deployment, DeploymentOptions, NginxChange } from './environment.ts';

const UPSTREAM = 'nginx/site/upstream.conf';

/** A stack of local processes. */
export class NativeDeployment implements Deployment {
  url = '';
  #options: DeploymentOptions;
  #name: string | undefined;
  #env: NodeJS.ProcessEnv;
  #firstEnv: NodeJS.ProcessEnv;
  /** Instances that have ended by themselves since the last start, with the reason. */
  #crashed = new Map<string, string>();
  /** Set by `start`. */
  #stack!: Stack;
  #commands: { close(): unknown } | undefined;

  /** @param name for `npm run stack -- --name`; a stack without a name accepts no commands */
  constructor(options: DeploymentOptions, name?: string) {
    this.#options = options;
    this.#name = name;
    this.#env = {
      ...process.env,
      ...faultInjectionSettings('127.0.0.1', process.env),
      ...options.env,
    };
    this.#firstEnv = { ...this.#env };
  }

  async start(): Promise<void> {
    const { scale = 3, redis, program, nginx } = this.#options;
    this.#stack = await Stack.start({
      ...(this.#name && { name: this.#name }),
      ...(redis && { redis }),
      ...(program && { program }),
      scale,
      env: () => this.#env,
      report: (line) => {
        const [, instance, exit] = /^(app-\d+) is dead \((exit code \d+)\)$/.exec(line) ?? [];
        if (instance && exit) this.#crashed.set(instance, exit);
      },
    });
    if (this.#name) this.#commands = await startControlServer(this.#name, this.#stack);
    if (nginx) await this.#changeNginx(nginx);
    this.url = this.#stack.url;
  }

  get location(): string {
    return `${this.url}   npm run stack -- --name ${this.#name} ps`;
  }

  async control(action: Action, name: string): Promise<void> {
    const { redis } = this.#stack;
    await (name === 'redis' ? redis : this.#stack.process(name))[action]();
  }

  async scale(count: number, { updateNginx = true } = {}): Promise<void> {
    const list = readFileSync(join(this.#stack.folder, UPSTREAM), 'utf8');
    await this.#stack.scale(count);
    if (!updateNginx) await this.#changeNginx({ upstream: () => list });
  }

  async replaceInstances(env: Record<string, string>): Promise<void> {
    Object.assign(this.#env, env);
    for (const instance of this.#stack.instances) {
      await instance.stop();
      await instance.start();
    }
  }

  /**
   * Starts all instances again, with the first environment and an empty Redis.
   *
   * @throws {StackError} if one does not start
   */
  async startAgain(): Promise<void> {
    const { redis, instances } = this.#stack;
    this.#env = { ...this.#firstEnv };
    await Promise.all(instances.filter(({ isRunning }) => isRunning).map((one) => one.kill()));
    const { state } = await redis.status();
    if (state === 'paused') redis.resume();
    if (state === 'dead' || state === 'stopped') await redis.start();
    await this.redis('FLUSHALL');
    await this.#startMissing();
  }

  /**
   * Starts the instances that are not running. From then on nginx uses all of them. Without a reload,
   * it would leave out an instance for up to two seconds after a failure.
   *
   * @throws {StackError}
   */
  async startMissing(): Promise<void> {
    await this.#startMissing();
    await this.#stack.nginx.reload();
  }

  /** The instances that have ended by themselves since then, each with its error. */
  crashes(): string[] {
    return [...this.#crashed].map(([name, exit]) => {
      const log = readFileSync(join(this.#stack.folder, `${name}.log`), 'utf8');
      return `${name} ended by itself: ${uncaughtError(log) ?? exit}`;
    });
  }

  async limitCpu(share: number): Promise<(() => Promise<void>) | undefined> {
    const quotas: Quota[] = [];
    const lift = async () => {
      await Promise.all(quotas.map((quota) => quota.lift()));
    };
    try {
      for (const instance of this.#stack.instances) {
        const { pid } = await instance.status();
        if (pid) quotas.push(await limitCpu(pid, share));
      }
      return lift;
    } catch {
      await lift();
      return undefined;
    }
  }

  redis(...command: string[]): Promise<string> {
    return inRedis(this.#stack.redis.url, async (redis) =>
      [await redis.sendCommand(command)].flat(Infinity).join('\n'),
    );
  }

  instanceNames(): [string, string][] {
    return this.#stack.instances.map(({ name, port }) => [`127.0.0.1:${port}`, name]);
  }

  async accessLog(): Promise<string> {
    return readFileSync(join(this.#stack.folder, 'access.log'), 'utf8');
  }

  async close(): Promise<void> {
    this.#commands?.close();
    await this.#stack?.close();
  }

  async #startMissing(): Promise<void> {
    this.#crashed.clear();
    const missing = this.#stack.instances.filter(({ isRunning }) => !isRunning);
    await Promise.all(missing.map((instance) => instance.start()));
  }

  async #changeNginx({ conf, upstream }: NginxChange): Promise<void> {
    for (const [file, change] of [
      ['nginx/nginx.conf', conf],
      [UPSTREAM, upstream],
    ] as const) {
      const path = join(this.#stack.folder, file);
      if (change) writeFileSync(path, change(readFileSync(path, 'utf8')));
    }
    await this.#stack.nginx.reload();
  }
}
