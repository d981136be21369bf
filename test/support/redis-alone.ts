import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Guard } from '../../tools/stack/guard.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Redis } from '../../tools/stack/redis.ts';
import { findTools } from '../../tools/stack/tools.ts';

/** A Redis without a stack around it. */
export class RedisAlone implements AsyncDisposable {
  readonly part: Redis;
  #folder: string;
  #guard: Guard;

  static async start(): Promise<RedisAlone> {
    const alone = new RedisAlone(await freePort('127.0.0.1'));
    await alone.part.start();
    return alone;
  }

  private constructor(port: number) {
    const report = () => {};
    this.#folder = mkdtempSync(join(tmpdir(), 'shared-state-redis-'));
    this.#guard = new Guard(this.#folder);
    const around = { folder: this.#folder, guard: this.#guard, report };
    this.part = new Redis(findTools(report).redis, port, around);
  }

  get url(): string {
    return this.part.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.part.isRunning) await this.part.stop();
    rmSync(this.#folder, { recursive: true });
    await this.#guard.close();
  }
}
