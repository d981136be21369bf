import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Command, Part, type Surroundings } from './part.ts';
import { ROOT } from './root.ts';

/** Milliseconds within which Redis answers when it serves. */
const PING_MS = 500;

/** The Redis of a stack. It keeps its data in the folder of the stack, over restarts too. */
export class Redis extends Part {
  #file: string;

  constructor(file: string, port: number, around: Surroundings) {
    super('redis', port, around);
    this.#file = file;
    mkdirSync(join(around.folder, 'redis'), { mode: 0o700 });
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  protected override command(): Command {
    const where = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', 'redis'];
    return {
      file: this.#file,
      args: [join(ROOT, 'services/redis/redis.conf'), ...where],
      env: process.env,
    };
  }

  /** An inline PING; Redis answers `-LOADING` until its data is there. */
  protected override async isServing(): Promise<boolean> {
    const socket = connect(this.port, '127.0.0.1').setTimeout(PING_MS, () => socket.destroy());
    try {
      await once(socket, 'connect');
      socket.write('PING\r\n');
      const [reply] = await once(socket, 'data');
      return String(reply).startsWith('+PONG');
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }
}
