import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../stack/port.ts';
import type { Redis } from '../stack/redis.ts';

/** Stands in front of a Redis and holds back its replies. */
export class DelayedRedis implements AsyncDisposable {
  /** Milliseconds for which each reply is held back from now on. */
  delayMs = 0;
  #server: Server;
  #sockets = new Set<Socket>();

  /** Moves a Redis to another port and takes its place, so that its clients notice nothing. */
  static async inFrontOf(redis: Redis): Promise<DelayedRedis> {
    const port = redis.port;
    await redis.stop();
    redis.port = await freePort('127.0.0.1');
    await redis.start();
    return new DelayedRedis(redis.port).#listen(port);
  }

  /** Stands beside a Redis: who goes to `url` instead is held back, the others are not. */
  static async beside(redis: Redis): Promise<DelayedRedis> {
    return new DelayedRedis(redis.port).#listen(0);
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends all connections; new ones are accepted. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listen(port: number): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  private constructor(port: number) {
    this.#server = createServer((client) => {
      const redis = connect(port, '127.0.0.1');
      this.#tie(client, redis);
      client.on('data', (chunk) => redis.write(chunk));
      let last = Promise.resolve();
      redis.on('data', (chunk) => {
        const due = performance.now() + this.delayMs;
        // One after the other: a reply never overtakes the one before it, also when the delay ends.
        last = last.then(async () => {
          const ms = due - performance.now();
          if (ms > 0) await wait(ms);
          if (!client.destroyed) client.write(chunk);
        });
      });
    });
  }

  /** When one side goes, the other goes too. */
  #tie(client: Socket, redis: Socket): void {
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.cut();
  }
}
