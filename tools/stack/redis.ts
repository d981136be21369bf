import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../lib/root.ts';
import { type Command, Part, type Surroundings } from './part.ts';

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
      args: [join(ROOT, 'redis/redis.conf'), ...where],
      env: process.env,
    };
  }

  protected override isServing(): Promise<boolean> {
    return answersPing(this.port);
  }
}

/** Resolves to true where a Redis at this port of loopback answers a PING; until its data is loaded it does not. */
export async function answersPing(port: number): Promise<boolean> {
  const signal = AbortSignal.timeout(PING_MS); // also where the other side accepts and says nothing
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal });
    socket.write('PING\r\n');
    const [reply] = await once(socket, 'data', { signal });
    return String(reply).startsWith('+PONG');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
