import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ROOT } from '../lib/root.mjs';
import { ManagedProcess, type StackContext } from './managed-process.ts';

/** Milliseconds to wait for the reply to a PING. */
const PING_MS = 500;

/**
 * The Redis of a stack. Its data is in the folder of the stack and survives a restart. It requires a
 * password, because every user of this machine reaches its port.
 */
export class Redis extends ManagedProcess {
  #password = randomBytes(24).toString('base64url');
  #config: string;

  constructor(file: string, port: number, context: StackContext) {
    super('redis', file, port, context);
    // A copy of its own, as Redis may rewrite it. Only its user can read the password.
    this.#config = join(context.folder, 'redis.conf');
    const config = readFileSync(join(ROOT, 'redis/redis.conf'), 'utf8');
    mkdirSync(join(context.folder, 'redis'), { recursive: true, mode: 0o700 });
    writeFileSync(this.#config, `${config}\nrequirepass ${this.#password}\n`, { mode: 0o600 });
  }

  /** With the password, and the name of the user, which redis-cli requires. */
  get url(): string {
    return `redis://default:${this.#password}@127.0.0.1:${this.port}`;
  }

  protected override args(): string[] {
    return [this.#config, '--bind', '127.0.0.1', '--port', String(this.port), '--dir', 'redis'];
  }

  /** Redis refuses to start in a locale that is not installed. */
  protected override env(): NodeJS.ProcessEnv {
    return { ...super.env(), LC_ALL: 'C' };
  }

  protected override isServing(): Promise<boolean> {
    return pingRedis(this.port, this.#password);
  }
}

/** Tells whether a Redis on this machine answers a PING. While it loads its data it does not. */
export async function pingRedis(port: number, password: string): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`AUTH ${password}\r\nPING\r\nQUIT\r\n`);
  socket.setTimeout(PING_MS, () => socket.destroy());
  const replies = await text(socket).catch(() => '');
  return replies.includes('+PONG');
}
