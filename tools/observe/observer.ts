import { mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../lib/root.mjs';
import { send } from '../lib/visitor.ts';
import { ManagedProcess, type ProcessStatus, type StackContext } from '../stack/managed-process.ts';
import { statusUrl } from '../stack/nginx.ts';
import { freePort } from '../stack/port.ts';
import { Watchdog } from '../stack/watchdog.ts';
import { findPrograms, type Programs } from './programs.ts';
import { shortened } from './shortened.ts';

/** The folder of the configuration, which containers use too. */
const DEPLOY = join(ROOT, 'deploy/observe');

/** The stack to observe. */
export interface Observed {
  folder: string;
  /** A Redis of the stack; all of them have its password. */
  redisUrl: string;
  ps(): Promise<ProcessStatus[]>;
}

export interface ObserverOptions {
  /** The TCP port of Prometheus on loopback; any free one by default or if 0. */
  port?: number;
  /** Divides all durations of the configuration and of the rules, for a test. */
  speed?: number;
  /** Shows the user one line. */
  report?: (line: string) => void;
}

/** A series in the reply to a query, with its last value. */
export interface Sample {
  metric: Record<string, string>;
  value: [seconds: number, value: string];
}

/** Prometheus and the exporters for nginx and Redis, as local processes beside a stack. */
export class Observer implements AsyncDisposable {
  #observed: Observed;
  #context: StackContext;
  #prometheus: Program;
  #exporters: Program[];
  #targets = '';

  /**
   * Starts all three. Resolves when Prometheus answers.
   *
   * @throws {StackError} if a program is missing or does not start
   */
  static async start(observed: Observed, options: ObserverOptions = {}): Promise<Observer> {
    const { report = () => {}, speed = 1 } = options;
    const programs = findPrograms(report);
    const folder = mkdtempSync(join(tmpdir(), 'shared-state-observe-'));
    const context = { folder, watchdog: new Watchdog(folder, report), report };
    context.watchdog.keepFolder(false);
    const create = async (
      name: keyof Programs,
      options: Pick<ProgramOptions, 'probe' | 'args'> & Partial<ProgramOptions>,
    ) => {
      const port = options.port || (await freePort());
      return new Program(name, programs[name], { env: {}, ...options, port }, context);
    };
    const nginx = await create('nginx-exporter', {
      probe: '/metrics',
      args: [`--nginx.scrape-uri=${statusUrl(observed.folder)}`],
    });
    const redis = await create('redis-exporter', {
      probe: '/',
      args: ['--redis.addr='], // Prometheus names the Redis in each request
      env: { REDIS_PASSWORD: new URL(observed.redisUrl).password }, // other users see arguments
    });
    const prometheus = await create('prometheus', {
      probe: '/-/ready',
      args: [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
      ],
      port: options.port ?? 0,
    });
    writeConfig(folder, redis.port, speed);
    const observer = new Observer(observed, context, prometheus, [nginx, redis]);
    try {
      await observer.refresh();
      await Promise.all([prometheus, nginx, redis].map((program) => program.start()));
      return observer;
    } catch (err) {
      await observer[Symbol.asyncDispose]();
      throw err;
    }
  }

  private constructor(
    observed: Observed,
    context: StackContext,
    prometheus: Program,
    exporters: [nginx: Program, redis: Program],
  ) {
    this.#observed = observed;
    this.#context = context;
    this.#prometheus = prometheus;
    this.#exporters = exporters;
  }

  get url(): string {
    return `http://localhost:${this.#prometheus.port}`;
  }

  /** Tells Prometheus which processes the stack has now. It reads these files when they change. */
  async refresh(): Promise<void> {
    const processes = await this.#observed.ps();
    const portsOf = (pattern: RegExp) =>
      processes.filter(({ name }) => pattern.test(name)).map(({ port }) => port);
    const targets = {
      app: portsOf(/^app-/),
      dashboard: portsOf(/^dashboard$/),
      nginx: this.#exporters.slice(0, 1).map(({ port }) => port),
      redis: portsOf(/^redis/),
    };
    const known = JSON.stringify(targets);
    if (known === this.#targets) return;
    this.#targets = known;
    for (const [job, ports] of Object.entries(targets)) {
      const file = join(this.#context.folder, 'targets', `${job}.json`);
      const addresses = ports.map((port) => `127.0.0.1:${port}`);
      writeFileSync(`${file}.new`, JSON.stringify([{ targets: addresses }]));
      renameSync(`${file}.new`, file); // never half a file
    }
  }

  /** The series that a query in PromQL finds now. @throws {Error} if Prometheus refuses it */
  async query(expression: string): Promise<Sample[]> {
    const path = `/api/v1/query?query=${encodeURIComponent(expression)}`;
    const { status, body } = await send(this.url + path);
    if (status !== 200) throw new Error(`${expression}: ${body}`);
    return JSON.parse(body).data.result;
  }

  /** The names of the alerts that fire now, in alphabetical order. */
  async firing(): Promise<string[]> {
    const firing = await this.query('count by (alertname) (ALERTS{alertstate="firing"})');
    return firing.map(({ metric }) => metric.alertname ?? '').sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = [this.#prometheus, ...this.#exporters].filter(({ isRunning }) => isRunning);
    await Promise.all(running.map((program) => program.stop()));
    await this.#context.watchdog.close();
  }
}

interface ProgramOptions {
  port: number;
  /** The path that answers 200 when the program is ready. */
  probe: string;
  args: string[];
  /** More variables for its environment. */
  env: NodeJS.ProcessEnv;
}

/** One program of the observer. */
class Program extends ManagedProcess {
  #options: ProgramOptions;

  constructor(name: string, file: string, options: ProgramOptions, context: StackContext) {
    super(name, file, options.port, context);
    this.#options = options;
  }

  protected override args(): string[] {
    return [...this.#options.args, `--web.listen-address=127.0.0.1:${this.port}`];
  }

  protected override env(): NodeJS.ProcessEnv {
    // All that it reads is on this machine.
    return { ...super.env(), ...this.#options.env, NO_PROXY: '*', no_proxy: '*' };
  }

  protected override async isServing(): Promise<boolean> {
    const reply = await send(`http://127.0.0.1:${this.port}${this.#options.probe}`).catch(
      () => undefined,
    );
    return reply?.status === 200;
  }
}

/** Writes the configuration of the containers, with files of targets in place of names. */
function writeConfig(folder: string, redisExporterPort: number, speed: number): void {
  mkdirSync(join(folder, 'targets'));
  for (const name of ['prometheus.yml', 'rules.yml']) {
    const text = readFileSync(join(DEPLOY, name), 'utf8')
      .replaceAll(/dns_sd_configs: .*/g, 'file_sd_configs: [{ files: [targets/JOB.json] }]')
      .replaceAll(/job_name: (\w+)(\s+file_sd.*)JOB/g, 'job_name: $1$2$1')
      .replace('redis-exporter:9121', `127.0.0.1:${redisExporterPort}`);
    writeFileSync(join(folder, name), shortened(text, speed));
  }
}
