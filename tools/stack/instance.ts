import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/root.ts';
import { type Command, Part, type Surroundings } from './part.ts';

/**
 * A heap as large as an instance needs, or else Node lets it grow before it tidies up. The image of
 * an instance (services/app/Dockerfile) has the same.
 */
const NODE_OPTIONS = '--max-semi-space-size=16 --max-old-space-size=256';
/**
 * Where Node keeps compiled code, types stripped, between two starts: half a second and 25 MB less
 * for each instance.
 */
const COMPILE_CACHE = join(ROOT, 'node_modules/.cache/compiled');
/** Milliseconds within which an instance says whether it is ready. */
const READY_MS = 2000;

/** One process of a service: an instance of services/app, or services/dashboard. It listens on loopback only. */
export class Instance extends Part {
  #program: string;
  #env: () => NodeJS.ProcessEnv;

  /**
   * @param program the file that it runs, as seen from the folder of the project
   * @param env what it is told at each start, besides its name and where to listen
   */
  constructor(
    name: string,
    program: string,
    port: number,
    env: () => NodeJS.ProcessEnv,
    around: Surroundings,
  ) {
    super(name, port, around);
    this.#program = program;
    this.#env = env;
    this.on('line', (line) => {
      const warning = warningOf(line);
      if (warning) around.report(`${name}: ${warning}`);
    });
  }

  protected override command(): Command {
    const own = { INSTANCE: this.name, HOST: '127.0.0.1', PORT: String(this.port) };
    return {
      file: process.execPath,
      args: [join(ROOT, this.#program)],
      env: { NODE_OPTIONS, ...compileCache(), ...this.#env(), ...own },
    };
  }

  protected override async isServing(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(READY_MS);
      return (await fetch(`http://127.0.0.1:${this.port}/readyz`, { signal })).ok;
    } catch {
      return false;
    }
  }
}

/** Where the checkout cannot be written to, Node does without. */
function compileCache(): NodeJS.ProcessEnv {
  try {
    mkdirSync(COMPILE_CACHE, { recursive: true });
    accessSync(COMPILE_CACHE, constants.W_OK);
    return { NODE_COMPILE_CACHE: COMPILE_CACHE };
  } catch {
    return {};
  }
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
