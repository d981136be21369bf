import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTools } from '../../tools/lib/programs.mjs';
import type { StackContext } from '../../tools/stack/managed-process.ts';
import { freePorts } from '../../tools/stack/port.ts';
import type { Redis } from '../../tools/stack/redis.ts';
import type { RedisTopology } from '../../tools/stack/redis-topology.ts';
import { TOPOLOGIES } from '../../tools/stack/stack.ts';
import { Watchdog } from '../../tools/stack/watchdog.ts';

/** Redis without the rest of a stack: one server by default. */
export class RedisAlone implements AsyncDisposable {
  topology: RedisTopology;
  /** For data and configurations. */
  readonly folder = mkdtempSync(join(tmpdir(), 'shared-state-redis-'));
  #kind: keyof typeof TOPOLOGIES;
  #context: StackContext;

  static async start(kind: keyof typeof TOPOLOGIES = 'single'): Promise<RedisAlone> {
    const alone = new RedisAlone(kind, await freePorts(TOPOLOGIES[kind].ports));
    await alone.topology.start();
    return alone;
  }

  private constructor(kind: keyof typeof TOPOLOGIES, ports: number[]) {
    const { folder } = this;
    this.#kind = kind;
    this.#context = { folder, watchdog: new Watchdog(folder), report: () => {} };
    this.topology = this.#create(ports);
  }

  #create(ports: number[]): RedisTopology {
    const { redis } = findTools(() => {});
    return TOPOLOGIES[this.#kind].create(redis, ports, this.#context);
  }

  /** Kills all processes and goes on with their data, like `npm start` after its launcher was killed. */
  async startAgain(): Promise<void> {
    await Promise.all(this.#running.map((process) => process.kill()));
    this.topology = this.#create(await freePorts(TOPOLOGIES[this.#kind].ports));
    await this.topology.start();
  }

  get #running(): Redis[] {
    return this.topology.processes.filter(({ isRunning }) => isRunning);
  }

  /** The only Redis, or the first one of the topology. */
  get process(): Redis {
    return this.topology.processes[0];
  }

  get url(): string {
    return this.topology.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((process) => process.stop()));
    await this.#context.watchdog.close();
  }
}
