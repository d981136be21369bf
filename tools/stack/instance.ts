import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { get } from 'node:http';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../lib/root.mjs';
import { ManagedProcess, type StackContext } from './managed-process.ts';

/**
 * Limits the heap; without limits Node lets it grow before it collects garbage. With `--expose-gc` a
 * service frees the garbage of its start. As in the Dockerfile.
 */
export const NODE_OPTIONS = '--expose-gc --max-semi-space-size=3 --max-old-space-size=256';
/**
 * Where Node caches compiled code, with types stripped, between two starts: half a second and 25 MB
 * less for each instance. In a read-only project Node does without.
 */
const NODE_COMPILE_CACHE = join(ROOT, 'node_modules/.cache/compiled');
/** Milliseconds to wait for the reply of `/readyz`. */
const READY_MS = 2000;

/**
 * Fills the compile cache once, before the first services start. A service that compiles its code has
 * 13 MB more for as long as it runs. Does nothing in a read-only project.
 */
export async function compileOnce(): Promise<void> {
  try {
    if (!mkdirSync(NODE_COMPILE_CACHE, { recursive: true })) return; // it was there
  } catch {
    return;
  }
  const env = { NODE_OPTIONS, NODE_COMPILE_CACHE, PORT: 'none' }; // a service loads its code, and ends
  const compile = (service: string) =>
    promisify(execFile)(process.execPath, [resolve(ROOT, `services/${service}/main.ts`)], { env });
  await Promise.allSettled(['app', 'dashboard'].map(compile));
}

/** One process of a service, on a loopback port: an instance of the app, or the dashboard. */
export class Instance extends ManagedProcess {
  #program: string;
  #env: () => NodeJS.ProcessEnv;

  /**
   * @param program file of the program, relative to the project
   * @param env the environment at each start, without name and address
   */
  constructor(
    name: string,
    program: string,
    port: number,
    env: () => NodeJS.ProcessEnv,
    context: StackContext,
  ) {
    super(name, process.execPath, port, context);
    this.#program = resolve(ROOT, program);
    this.#env = env;
    this.on('line', (line) => {
      const warning = warningOf(line);
      if (warning) context.report(`${name}: ${warning}`);
    });
  }

  protected override args(): string[] {
    return [this.#program];
  }

  protected override env(): NodeJS.ProcessEnv {
    const address = { HOST: '127.0.0.1', PORT: String(this.port) };
    // Everything that a service connects to is on this machine.
    const own = { INSTANCE: this.name, ...address, NO_PROXY: '*', no_proxy: '*' };
    return { NODE_OPTIONS, NODE_COMPILE_CACHE, ...this.#env(), ...own };
  }

  protected override async isServing(): Promise<boolean> {
    const signal = AbortSignal.timeout(READY_MS);
    const { port } = this;
    // Without the global agent, which uses a proxy if NODE_USE_ENV_PROXY is set.
    const req = get({ host: '127.0.0.1', port, path: '/readyz', agent: false, signal });
    const [res] = await once(req, 'response').catch(() => []);
    res?.resume();
    // 404: a program without this route serves as soon as it listens.
    return res?.statusCode === 200 || res?.statusCode === 404;
  }

  protected override failureReason(lines: string[]): string | undefined {
    const plain = lines.filter((line) => !/^[{(]/.test(line)); // no log lines, no warnings of Node
    return uncaughtError(plain.join('\n')) ?? (plain.slice(-3).join(' | ') || undefined);
  }
}

/** The error that ended Node. Node prints the place, the source line, `^`, the error and its stack. */
export function uncaughtError(output: string): string | undefined {
  const [, message] = /^\s*\^+\s*\n([\s\S]+?)\n(?: +at |\s*Node\.js v)/m.exec(output) ?? [];
  if (!message) return /^FATAL ERROR: .*/m.exec(output)?.[0];
  const [, code = ''] = /^ {2}code: '(\w+)'/m.exec(output) ?? [];
  const [, file] = /^(?:file:\/\/)?(\/.+:\d+)$/m.exec(output) ?? [];
  const details = [message.includes(code) ? '' : code, file?.replace(ROOT, '')].filter(Boolean);
  const text = message.replaceAll(/\s+/g, ' ');
  return details.length > 0 ? `${text} (${details.join(', ')})` : text;
}

/** The message of a log line of level warn or above. */
function warningOf(line: string): string | undefined {
  try {
    const { level, msg, reason } = JSON.parse(line);
    if (!['warn', 'error', 'fatal'].includes(level)) return undefined;
    return reason ? `${msg}: ${reason}` : msg;
  } catch {
    return undefined; // not a log line
  }
}
