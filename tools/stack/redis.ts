import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { StackError } from '../lib/errors.mjs';
import { ROOT } from '../lib/root.mjs';
import { ManagedProcess, type StackContext } from './managed-process.ts';

/** Milliseconds to wait for the reply to a command. */
const REPLY_MS = 500;
/** The reply to AUTH. */
const OK = '+OK\r\n';

export interface RedisOptions {
  name: string;
  /** The folder for the data, in the folder of the stack. The configuration is beside it. */
  dir: string;
  password: string;
  /** Lines of the configuration, in addition to redis/redis.conf. */
  settings?: string[];
  /** Runs a Sentinel, which has no data and does not read redis/redis.conf. */
  isSentinel?: boolean;
  /** Finds the current primary. If that is another Redis, this one starts as its replica. */
  primary?: () => Promise<Redis>;
}

/**
 * A Redis or a Sentinel of a stack. Its data is in the folder of the stack and survives a restart. It
 * requires a password, because every user of this machine reaches its port.
 */
export class Redis extends ManagedProcess {
  #password: string;
  #dir: string;
  #mode: string[];
  #primary: (() => Promise<Redis>) | undefined;
  #role: string[] = [];

  constructor(
    file: string,
    port: number,
    context: StackContext,
    options: RedisOptions = { name: 'redis', dir: 'redis', password: newPassword() },
  ) {
    const { name, dir, password, settings = [], isSentinel = false, primary } = options;
    super(name, file, port, context);
    this.#password = password;
    this.#dir = dir;
    this.#primary = primary;
    this.#mode = isSentinel ? ['--sentinel'] : [];
    mkdirSync(join(this.folder, dir), { recursive: true, mode: 0o700 });
    // A copy of its own, in which Redis notes a changed role. Only its user can read the password.
    if (existsSync(this.#config)) return;
    const common = isSentinel ? '' : readFileSync(join(ROOT, 'redis/redis.conf'), 'utf8');
    const lines = [common, `requirepass ${password}`, ...settings, ''];
    writeFileSync(this.#config, lines.join('\n'), { mode: 0o600 });
  }

  /** With the password, and the name of the user, which redis-cli requires. */
  get url(): string {
    return `redis://default:${this.#password}@127.0.0.1:${this.port}`;
  }

  /**
   * Sends a command and returns the reply, in the protocol of Redis.
   *
   * @throws {StackError} if Redis does not answer, or answers with an error
   */
  async ask(command: string): Promise<string> {
    const replies = await ask(this.port, this.#password, command);
    const reply = replies.slice(OK.length);
    if (reply !== '' && !reply.startsWith('-')) return reply;
    throw new StackError(`${this.name}: ${command}: ${reply.trim() || 'no reply'}`);
  }

  /** Without this there are two primaries for some 10 s, until the Sentinels demote the former one. */
  override async start(): Promise<void> {
    const primary = await this.#primary?.().catch(() => this); // no Sentinel runs yet
    const isReplica = primary !== undefined && primary !== this;
    this.#role = isReplica ? ['--replicaof', '127.0.0.1', String(primary.port)] : [];
    await super.start();
  }

  get #config(): string {
    return join(this.folder, `${this.#dir}.conf`);
  }

  protected override args(): string[] {
    const address = ['--bind', '127.0.0.1', '--port', String(this.port)];
    return [
      this.#config,
      ...this.#mode,
      ...address,
      '--dir',
      join(this.folder, this.#dir),
      ...this.#role,
    ];
  }

  /** Redis refuses to start in a locale that is not installed. */
  protected override env(): NodeJS.ProcessEnv {
    return { ...super.env(), LC_ALL: 'C' };
  }

  protected override isServing(): Promise<boolean> {
    return pingRedis(this.port, this.#password);
  }
}

export function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

/** Tells whether a Redis on this machine answers a PING. While it loads its data it does not. */
export async function pingRedis(port: number, password: string): Promise<boolean> {
  return (await ask(port, password, 'PING')).includes('+PONG');
}

/** The replies to AUTH and a command; empty if they do not arrive in time. */
async function ask(port: number, password: string, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end(`AUTH ${password}\r\n${command}\r\n`); // a Sentinel does not know QUIT
  socket.setTimeout(REPLY_MS, () => socket.destroy());
  return text(socket).catch(() => '');
}
