import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../lib/root.mjs';
import { ManagedProcess, type StackContext } from './managed-process.ts';

/** Milliseconds to wait for the reply to a PING. */
const PING_MS = 500;

/** The Redis of a stack. Its data is in the folder of the stack and survives a restart. */
export class Redis extends ManagedProcess {
  constructor(file: string, port: number, context: StackContext) {
    super('redis', file, port, context);
    mkdirSync(join(context.folder, 'redis'), { mode: 0o700 });
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  protected override args(): string[] {
    const config = join(ROOT, 'redis/redis.conf');
    return [config, '--bind', '127.0.0.1', '--port', String(this.port), '--dir', 'redis'];
  }

  protected override isServing(): Promise<boolean> {
    return pingRedis(this.port);
  }
}

/** Tells whether a Redis on this machine answers a PING. While it loads its data it does not. */
export async function pingRedis(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
  const signal = AbortSignal.timeout(PING_MS);
  const [reply] = await once(socket, 'data', { signal }).catch(() => []);
  socket.destroy();
  return String(reply).startsWith('+PONG');
}
