import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { send } from '../lib/visitor.ts';
import { Instance } from '../stack/instance.ts';
import type { ManagedProcess, StackContext } from '../stack/managed-process.ts';
import { Nginx } from '../stack/nginx.ts';
import { freePort } from '../stack/port.ts';
import { Redis } from '../stack/redis.ts';
import { Stack } from '../stack/stack.ts';
import type { Tools } from '../stack/tools.ts';
import type { Contestant } from './contestants.ts';

/** What a contestant runs on; a Stack is one. */
export interface Site {
  readonly nginx: ManagedProcess;
  readonly redis: ManagedProcess;
  readonly instances: readonly ManagedProcess[];
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const PRODUCTION = { ...process.env, NODE_ENV: 'production' };

/**
 * Starts the instances of a contestant, their nginx and their Redis. Resolves when all serve.
 *
 * @throws {StackError} where one does not start
 */
export async function startSite(
  { name, program, instances: scale, nginx: NginxClass = Nginx }: Contestant,
  tools: Tools,
  context: StackContext,
): Promise<Site> {
  if (!program) return Stack.start({ scale, env: PRODUCTION, report: context.report });
  const folder = join(context.folder, name);
  mkdirSync(folder, { mode: 0o711 }); // the workers of nginx look for files in it
  const its = { ...context, folder };
  const redis = new Redis(tools.redis, await freePort(HOST), its);
  await redis.start();
  const env = { ...PRODUCTION, REDIS_URL: redis.url };
  const instances: ManagedProcess[] = [];
  while (instances.length < scale) {
    const instance = `app-${instances.length + 1}`;
    const file = join('tools/bench/contestants', program);
    instances.push(new Rival(instance, file, await freePort(HOST), () => env, its));
  }
  await Promise.all(instances.map((instance) => instance.start()));
  const nginx = new NginxClass(tools.nginx, HOST, await freePort(HOST), its);
  nginx.write({ app: instances.map(({ port }) => port) });
  await nginx.start();
  const close = async () => {
    for (const parts of [[nginx], instances, [redis]]) {
      await Promise.all(parts.map((part) => part.stop()));
    }
    rmSync(folder, { recursive: true });
  };
  return { nginx, redis, instances, close };
}

/** An instance of a contestant, run as those of this project are. It has no probe. */
class Rival extends Instance {
  protected override async isServing(): Promise<boolean> {
    return send(`http://${HOST}:${this.port}/`).then(
      ({ status }) => status === 200,
      () => false,
    );
  }
}
