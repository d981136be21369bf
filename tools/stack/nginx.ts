import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../lib/errors.mjs';
import { ROOT } from '../lib/root.mjs';
import { ManagedProcess, type StackContext } from './managed-process.ts';
import { listenWithTls, type Tls } from './tls.ts';

/** Milliseconds to wait after a reload for the workers with the old configuration. */
const RELOAD_MS = 10_000;

/** Where nginx has the port of its figures, in the folder of a stack. */
const STATUS_CONF = 'nginx/observe/status.conf';
const LISTEN = /listen \S*?(\d+);/;

/** The URL at which the nginx of a running stack answers with its figures. */
export function statusUrl(folder: string): string {
  const [, port] = LISTEN.exec(readFileSync(join(folder, STATUS_CONF), 'utf8')) ?? [];
  return `http://127.0.0.1:${port}/stub_status`;
}

export interface NginxPorts {
  nginx: number;
  /** The port of its figures, on loopback. */
  status: number;
}

export interface NginxOptions {
  /** The addresses and CIDR ranges of proxies in front of nginx, whose claims nginx believes. */
  trustedProxies?: string[];
  /** Without it, nginx speaks plain HTTP. */
  tls?: Tls;
}

/** The nginx of a stack: nginx/nginx.conf with the local ports of the services. */
export class Nginx extends ManagedProcess {
  readonly bind: string;
  protected override readonly stdout = 'access.log';
  #prefix: string;
  #workers = new Set<string>();

  /** @param bind the address that nginx listens on; the services listen on loopback */
  constructor(
    file: string,
    bind: string,
    ports: NginxPorts,
    context: StackContext,
    { trustedProxies = [], tls }: NginxOptions = {},
  ) {
    super('nginx', file, ports.nginx, context);
    this.bind = bind;
    this.#prefix = join(context.folder, 'nginx');
    mkdirSync(join(this.#prefix, 'site'), { recursive: true });
    chmodSync(this.#prefix, 0o711); // for the workers, with any umask
    copyFileSync(join(ROOT, 'nginx/nginx.conf'), join(this.#prefix, 'nginx.conf'));
    const address = `${bind.includes(':') ? `[${bind}]` : bind}:${ports.nginx}`;
    const listen = tls ? this.#prepareTls(address, tls) : [`listen ${address};`];
    writeFileSync(join(this.#prefix, 'site/listen.conf'), `${listen.join('\n')}\n`);
    const trusted = trustedProxies.map((proxy) => `${proxy} 1;\n`).join('');
    writeFileSync(join(this.#prefix, 'site/trusted-proxies.conf'), trusted);
    mkdirSync(join(this.#prefix, 'observe'), { recursive: true });
    const status = readFileSync(join(ROOT, 'nginx/status.conf'), 'utf8');
    const ownStatus = status.replace(LISTEN, `listen 127.0.0.1:${ports.status};`);
    writeFileSync(join(context.folder, STATUS_CONF), ownStatus);
    this.on('line', (line) => this.#followWorkers(line));
    this.on('end', () => this.#workers.clear());
  }

  /** Writes the upstreams of the configuration, as in nginx/compose: the ports of each service. */
  write({ app, dashboard }: Record<'app' | 'dashboard', number[]>): void {
    const upstreams = [
      upstream('app', ['least_conn;', ...servers(app, 'fail_timeout=1s')]),
      upstream('app-in-turn', servers(app, 'max_fails=0')),
      upstream('dashboard', servers(dashboard, 'max_fails=0')),
    ];
    writeFileSync(join(this.#prefix, 'site/upstream.conf'), upstreams.join('\n'));
  }

  /**
   * Loads the current configuration into a running nginx. Resolves after the workers with the old
   * one have ended, so that no request reaches a removed instance.
   *
   * @throws {StackError} if the configuration is invalid; nginx keeps the old one
   */
  async reload(): Promise<void> {
    if (!this.isRunning) return;
    // No pipe for stdout: pipes of Node are sockets, which nginx cannot open as /dev/stdout.
    const { status, stderr } = spawnSync(this.file, [...this.args(), '-t'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: this.env(),
      encoding: 'utf8',
    });
    const reason = this.failureReason(stderr.split('\n'));
    if (status !== 0) throw new StackError(`nginx refuses its configuration: ${reason}`);
    const old = new Set(this.#workers);
    const signal = AbortSignal.timeout(RELOAD_MS);
    this.signal('SIGHUP');
    try {
      while (!this.#workers.isDisjointFrom(old)) await once(this, 'line', { signal });
    } catch {
      // An old worker still has a long request; it accepts no others.
    }
  }

  protected override args(): string[] {
    return ['-p', `${this.#prefix}/`, '-c', join(this.#prefix, 'nginx.conf'), '-e', 'stderr'];
  }

  /** nginx takes the variable NGINX for sockets that another nginx has left to it. */
  protected override env(): NodeJS.ProcessEnv {
    return { ...super.env(), NGINX: undefined };
  }

  protected override async isServing(): Promise<boolean> {
    return this.#workers.size > 0; // nginx starts them after it has bound its address
  }

  protected override failureReason(lines: string[]): string | undefined {
    return lines.find((line) => line.includes('[emerg]')) ?? super.failureReason(lines);
  }

  /** Puts the files of TLS in place, and returns the lines of the configuration that use them. */
  #prepareTls(address: string, tls: Tls): string[] {
    const folder = join(this.#prefix, 'tls');
    mkdirSync(folder);
    copyFileSync(join(ROOT, 'deploy/tls/tls.conf'), join(folder, 'tls.conf'));
    // In the configuration, a path could contain special characters.
    symlinkSync(tls.certificate, join(folder, 'certificate.pem'));
    symlinkSync(tls.key, join(folder, 'key.pem'));
    const { stderr: build } = spawnSync(this.file, ['-V'], { encoding: 'utf8' });
    return listenWithTls(address, tls.hstsSeconds, build);
  }

  /** nginx logs the start and the end of each worker. */
  #followWorkers(line: string): void {
    const started = /start worker process (\d+)/.exec(line)?.[1];
    const ended = /worker process (\d+) exited/.exec(line)?.[1];
    if (started) this.#workers.add(started);
    if (ended) this.#workers.delete(ended);
  }
}

function servers(ports: number[], parameters: string): string[] {
  return ports.map((port) => `server 127.0.0.1:${port} ${parameters};`);
}

function upstream(name: string, its: string[]): string {
  const lines = [`zone ${name} 256k;`, ...its, 'keepalive 64;', 'keepalive_timeout 60s;'];
  return `upstream ${name} {\n${lines.map((line) => `    ${line}\n`).join('')}}\n`;
}
