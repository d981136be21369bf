import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from 'redis';
import { limitCpu, type Quota } from '../../tools/lib/cpu-quota.ts';
import { listenForCommands } from '../../tools/stack/control-socket.ts';
import { chaosSettings } from '../../tools/stack/room.ts';
import { Stack } from '../../tools/stack/stack.ts';
import type { Action, Lab, NginxChange, Setup, Site } from './lab.ts';

/** The lessons on local processes: nginx, Redis and instances of a stack of their own. */
export class NativeLab implements Lab {
  #name: string | undefined;
  #stack: Stack | undefined;
  #commands: { close(): unknown } | undefined;

  /** @param name of the stack, for `npm run stack -- --name`; without one it is not to be found */
  constructor(name?: string) {
    this.#name = name;
  }

  async start({ env = {}, scale = 3, program, nginx }: Setup = {}): Promise<Site> {
    await this.close();
    const settings = { ...process.env, ...chaosSettings('127.0.0.1', process.env), ...env };
    const stack = await Stack.start({
      ...(this.#name && { name: this.#name }),
      ...(program && { program }),
      scale,
      env: () => settings,
    });
    this.#stack = stack;
    if (this.#name) this.#commands = await listenForCommands(this.#name, stack);
    if (nginx) await change(stack, nginx);
    return new NativeSite(stack, settings);
  }

  get where(): string | undefined {
    return this.#stack && `${this.#stack.url}   npm run stack -- --name ${this.#name} ps`;
  }

  async close(): Promise<void> {
    this.#commands?.close();
    await this.#stack?.close();
    this.#stack = undefined;
  }
}

const UPSTREAM = 'nginx/site/upstream.conf';

async function change(stack: Stack, { conf, upstream }: NginxChange): Promise<void> {
  edit(stack, 'nginx/nginx.conf', conf);
  edit(stack, UPSTREAM, upstream);
  await stack.nginx.reload();
}

function edit(stack: Stack, file: string, how: (text: string) => string = (text) => text): void {
  const path = join(stack.folder, file);
  writeFileSync(path, how(readFileSync(path, 'utf8')));
}

class NativeSite implements Site {
  #stack: Stack;
  #settings: NodeJS.ProcessEnv;

  /** @param settings what the instances of the stack are told at their next start */
  constructor(stack: Stack, settings: NodeJS.ProcessEnv) {
    this.#stack = stack;
    this.#settings = settings;
  }

  get url(): string {
    return this.#stack.url;
  }

  async act(action: Action, part: string): Promise<void> {
    await this.#stack.part(part)[action]();
  }

  async scale(count: number, { announced = true } = {}): Promise<void> {
    const list = readFileSync(join(this.#stack.folder, UPSTREAM), 'utf8');
    await this.#stack.scale(count);
    if (!announced) await change(this.#stack, { upstream: () => list });
  }

  async replaceInstances(env: Record<string, string>): Promise<void> {
    Object.assign(this.#settings, env);
    for (const instance of this.#stack.instances) {
      await instance.stop();
      await instance.start();
    }
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

  async redis(...command: string[]): Promise<string> {
    // RESP 2 has lists only, as redis-cli shows them.
    const client = createClient({ url: this.#stack.redis.url, RESP: 2 });
    client.on('error', () => {}); // the command fails too
    await client.connect();
    try {
      return textOf(await client.sendCommand(command));
    } finally {
      client.destroy();
    }
  }

  async accessLog(): Promise<string> {
    return readFileSync(join(this.#stack.folder, 'access.log'), 'utf8');
  }
}

/** As `redis-cli` prints a reply where nobody looks. */
function textOf(reply: unknown): string {
  return Array.isArray(reply) ? reply.map(textOf).join('\n') : String(reply ?? '');
}
