import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../lib/errors.ts';
import { ROOT } from '../lib/root.ts';
import { type Command, Part, type Surroundings } from './part.ts';

/** Milliseconds for which the workers of an old configuration may finish their requests. */
const RELOAD_MS = 10_000;

/** The nginx of a stack: nginx/nginx.conf with the local ports of the instances. */
export class Nginx extends Part {
  readonly bind: string;
  #file: string;
  #prefix: string;
  #workers = new Set<string>();

  /** @param bind the address that nginx listens on; the instances listen on loopback */
  constructor(file: string, bind: string, port: number, around: Surroundings) {
    super('nginx', port, around);
    this.bind = bind;
    this.#file = file;
    this.#prefix = join(around.folder, 'nginx');
    mkdirSync(join(this.#prefix, 'site'), { recursive: true });
    copyFileSync(join(ROOT, 'nginx/nginx.conf'), join(this.#prefix, 'nginx.conf'));
    const address = bind.includes(':') ? `[${bind}]` : bind;
    writeFileSync(join(this.#prefix, 'site/listen.conf'), `listen ${address}:${port};\n`);
    this.on('line', (line) => this.#followWorkers(line));
    this.on('end', () => this.#workers.clear());
  }

  /** Puts the instances that nginx asks, by service, into its configuration. */
  write(ports: Record<string, number[]>): void {
    const upstreams = Object.entries(ports).map(
      ([service, its]) =>
        `upstream ${service} {\n    zone ${service} 256k;\n` +
        its.map((port) => `    server 127.0.0.1:${port} max_fails=0;\n`).join('') +
        '    keepalive 64;\n    keepalive_timeout 60s;\n}\n',
    );
    writeFileSync(join(this.#prefix, 'site/upstream.conf'), upstreams.join('\n'));
  }

  /**
   * Makes a running nginx use the configuration written last. Resolves when no worker with an older
   * one is left, so that nothing is sent to an instance that was taken out.
   *
   * @throws {StackError} where nginx refuses the configuration; it goes on with the one it has
   */
  async reload(): Promise<void> {
    if (!this.isRunning) return;
    this.#checkConfiguration();
    const old = new Set(this.#workers);
    const signal = AbortSignal.timeout(RELOAD_MS);
    this.signal('SIGHUP');
    try {
      while (!this.#workers.isDisjointFrom(old)) await once(this, 'line', { signal });
    } catch {
      // a worker still has a long request; it has stopped accepting others
    }
  }

  protected override command(): Command {
    return { file: this.#file, args: this.#args(), env: process.env, output: 'access.log' };
  }

  protected override async isServing(): Promise<boolean> {
    return this.#workers.size > 0; // they start when nginx has its address
  }

  #checkConfiguration(): void {
    // Not a pipe: Node's pipes are sockets, which nginx cannot open as /dev/stdout.
    const { status, stderr } = spawnSync(this.#file, [...this.#args(), '-t'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
    const reason = stderr.split('\n').find((line) => line.includes('[emerg]'));
    if (status !== 0) throw new StackError(`nginx refuses its configuration: ${reason}`);
  }

  #args(): string[] {
    return ['-p', `${this.#prefix}/`, '-c', join(this.#prefix, 'nginx.conf'), '-e', 'stderr'];
  }

  /** nginx says in its log which workers come and go. */
  #followWorkers(line: string): void {
    const started = /start worker process (\d+)/.exec(line)?.[1];
    const ended = /worker process (\d+) exited/.exec(line)?.[1];
    if (started) this.#workers.add(started);
    if (ended) this.#workers.delete(ended);
  }
}
