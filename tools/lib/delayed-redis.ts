import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../stack/port.ts';
import type { Redis } from '../stack/redis.ts';

/** A proxy that delays the replies of a Redis. */
export class DelayedRedis implements AsyncDisposable {
  /** The delay of each reply from now on, in milliseconds. */
  delayMs = 0;
  #server: Server;
  #redisUrl: string;
  #sockets = new Set<Socket>();

  /** Moves a Redis to another port and listens on the old one, so that clients need no change. */
  static async inFrontOf(redis: Redis): Promise<DelayedRedis> {
    const port = redis.port;
    await redis.stop();
    redis.port = await freePort('127.0.0.1');
    await redis.start();
    return new DelayedRedis(redis).#listen(port);
  }

  /** Listens on a port of its own: only clients that use `url` are delayed. */
  static async beside(redis: Redis): Promise<DelayedRedis> {
    return new DelayedRedis(redis).#listen(0);
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return Object.assign(new URL(this.#redisUrl), { port }).href;
  }

  /** Closes all connections; new ones are accepted. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listen(port: number): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  private constructor({ port, url }: Redis) {
    this.#redisUrl = url;
    this.#server = createServer((client) => {
      const redis = connect(port, '127.0.0.1');
      this.#tie(client, redis);
      client.on('data', (chunk) => redis.write(chunk));
      let last = Promise.resolve();
      redis.on('data', (chunk) => {
        const due = performance.now() + this.delayMs;
        // In order: a reply never overtakes an earlier one, even if the delay becomes shorter.
        last = last.then(async () => {
          const ms = due - performance.now();
          if (ms > 0) await wait(ms);
          if (!client.destroyed) client.write(chunk);
        });
      });
    });
  }

  /** Closes each side when the other one closes. */
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
