// The way out of a VU's context: text goes to the runner, text comes back.
// This file and its neighbours are bundled with the script, and run where it runs.

/** What the runner is asked for; all but `log` and `refuse` wait for the answer. */
export type Operation = 'request' | 'sleep' | 'open' | 'abort' | 'refuse' | 'log';

/** Name, value, tags, and when, in milliseconds since 1970. */
export type Sample = [metric: string, value: number, tags: Record<string, string>, at: number];

/** What a script declares with the classes of `k6/metrics`. */
export interface Declaration {
  name: string;
  type: 'counter' | 'gauge' | 'rate' | 'trend';
  contains: 'default' | 'time';
}

/** The iteration that runs, as `k6/execution` shows it. */
export interface Iteration {
  scenario: string;
  /** Milliseconds since 1970. */
  scenarioStart: number;
  iterationInTest: number;
  iterationInScenario: number;
}

/** k6's globals that this runner lacks. */
export const LACKING_GLOBALS = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'crypto',
];

type Host = (operation: Operation, text: string) => string;

/** The runner; a script does not find it. */
const host = (globalThis as unknown as { __host: Host }).__host;
delete (globalThis as { __host?: Host }).__host;

/** What this VU is at. */
export const vu = {
  group: '',
  inInit: true,
  iteration: undefined as Iteration | undefined,
  declared: [] as Declaration[],
  samples: [] as Sample[],
};

/** Asks the runner, and waits for what it answers. */
export function ask(operation: Operation, value: unknown): unknown {
  const text = host(operation, JSON.stringify({ value, samples: takeSamples() }));
  if (text === '') return undefined;
  const { answer, error } = JSON.parse(text);
  if (error !== undefined) throw new Error(error);
  return answer;
}

/** Ends the run: what the script wants is not to be had here. */
export function refuse(what: string): never {
  ask('refuse', what);
  throw new Error(`${what} is not supported by this runner`);
}

/** Notes a value of a metric; it reaches the runner with whatever is asked next. */
export function record(metric: string, value: number, tags: Record<string, string> = {}): void {
  vu.samples.push([metric, value, { group: vu.group, ...tags }, Date.now()]);
}

/** The samples that the runner does not have yet. */
export function takeSamples(): Sample[] {
  return vu.samples.splice(0);
}

/** The text of tags, as k6 makes it of whatever values a script gives. */
export function tagsOf(tags: object | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(tags ?? {}).map(([key, value]) => [key, String(value)]));
}

/** An object of which a script may read only what is there; anything else ends the run. */
export function strict<T extends object>(name: string, object: T): T {
  return new Proxy(object, {
    get(target, key, receiver) {
      const known = key in target || typeof key === 'symbol' || key === 'toJSON' || key === 'then';
      return known ? Reflect.get(target, key, receiver) : refuse(`${name}.${key}`);
    },
  });
}
