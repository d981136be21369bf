// What the runner calls in a VU's context: one stage of the script's life at a time.
import { ask, type Iteration, LACKING_GLOBALS, refuse, takeSamples, vu } from './host.ts';

/** How a stage ended. */
export interface Outcome {
  /** What it returned, as JSON; absent where it returned nothing. */
  value?: string;
  error?: string;
  samples: unknown[];
}

type Script = Record<string, unknown>;

/** What the context has of JavaScript and k6 has not. */
const FOREIGN = ['Intl', 'WebAssembly', 'SharedArrayBuffer', 'Atomics'];

/** Makes the globals that a script finds. */
function prepare(): void {
  const globals = globalThis as Record<string, unknown>;
  for (const name of FOREIGN) delete globals[name];
  for (const name of LACKING_GLOBALS) {
    Object.defineProperty(globalThis, name, { get: () => refuse(name), configurable: true });
  }
  const log =
    (level: string) =>
    (...words: unknown[]) => {
      ask('log', { level, text: words.map(textOf).join(' ') });
    };
  globals.console = {
    log: log('info'),
    info: log('info'),
    debug: log('debug'),
    warn: log('warning'),
    error: log('error'),
  };
  globals.open = (path: string, mode?: string) => {
    if (!vu.inInit) throw new Error('open() works in the init context only');
    if (mode !== undefined) refuse(`open(…, ${JSON.stringify(mode)})`);
    return ask('open', path);
  };
  globals.__ITER = 0;
}

prepare(); // this file comes before the script

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value instanceof Error ? String(value) : (JSON.stringify(value) ?? String(value));
}

/** What the script declares, once it has been read. */
export function declarations(script: Script) {
  vu.inInit = false;
  return JSON.stringify({
    options: script.options ?? {},
    functions: Object.keys(script).filter((name) => typeof script[name] === 'function'),
    metrics: vu.declared,
  });
}

/** What a function of the script is called with. */
export interface Call {
  name: string;
  args: unknown[];
  iteration?: Iteration;
  /** How many iterations this VU has made before. */
  iterationOfVu?: number;
}

let setupData: unknown[] | undefined;

/** Calls a function of the script. Everything in and out is text, so that nothing else can pass. */
export async function call(script: Script, text: string): Promise<string> {
  const { name, args: given, iteration, iterationOfVu = 0 }: Call = JSON.parse(text);
  // A VU reads the data of setup once, and may change its copy.
  if (iteration) setupData ??= given;
  const args = iteration ? (setupData ?? given) : given;
  const outcome: Outcome = { samples: [] };
  vu.iteration = iteration;
  vu.group = iteration ? '' : `::${name}`; // as k6 marks what setup and teardown do
  (globalThis as Record<string, unknown>).__ITER = iterationOfVu;
  try {
    const value = await (script[name] as (...args: unknown[]) => unknown)(...args);
    if (value !== undefined) outcome.value = JSON.stringify(value);
  } catch (err) {
    outcome.error = describe(err);
  }
  outcome.samples = takeSamples();
  return JSON.stringify(outcome);
}

/** An error with the places it came through. */
function describe(err: unknown): string {
  return err instanceof Error ? (err.stack ?? String(err)) : textOf(err);
}
