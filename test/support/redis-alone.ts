import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTools } from '../../tools/lib/programs.mjs';
import { freePort } from '../../tools/stack/port.ts';
import { Redis } from '../../tools/stack/redis.ts';
import { Watchdog } from '../../tools/stack/watchdog.ts';

/** A Redis server without the rest of a stack. */
export class RedisAlone implements AsyncDisposable {
  readonly process: Redis;
  #watchdog: Watchdog;

  static async start(): Promise<RedisAlone> {
    const alone = new RedisAlone(await freePort());
    await alone.process.start();
    return alone;
  }

  private constructor(port: number) {
    const report = () => {};
    const folder = mkdtempSync(join(tmpdir(), 'shared-state-redis-'));
    this.#watchdog = new Watchdog(folder);
    const context = { folder, watchdog: this.#watchdog, report };
    this.process = new Redis(findTools(report).redis, port, context);
  }

  get url(): string {
    return this.process.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.isRunning) await this.process.stop();
    await this.#watchdog.close();
  }
}
