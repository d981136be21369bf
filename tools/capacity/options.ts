import type { ParseArgsOptionsConfig } from 'node:util';
import { quoted, UsageError } from '../lib/errors.mjs';
import type { Demand } from './model.ts';

/** A number that the command takes. */
interface NumberOption {
  meaning: string;
  min: number;
  max: number;
  /** A number without one is left out of the demand. */
  fallback?: number;
  isWhole?: boolean;
}

const COUNT = { min: 1, max: 1e6, isWhole: true };

const NUMBERS: Record<keyof Demand, NumberOption> = {
  views: { meaning: 'views per second', min: 0, max: 1e9, fallback: 1000 },
  sessions: { meaning: 'stored sessions', min: 1, max: 1e12, fallback: 1e6, isWhole: true },
  shoppers: {
    meaning: 'the share of sessions with a login and a cart',
    ...{ min: 0, max: 1, fallback: 0.1 },
  },
  replicas: { meaning: 'replicas of each Redis', min: 0, max: 100, fallback: 1, isWhole: true },
  cores: { meaning: 'cores of an nginx', ...COUNT, max: 1024, fallback: 4 },
  network: { meaning: 'Gbit/s of each machine', min: 0.001, max: 10_000, fallback: 10 },
  memory: { meaning: 'GiB for each Redis (maxmemory)', min: 0.001, max: 10_000, fallback: 16 },
  instances: { meaning: 'instances; as many as needed by default', ...COUNT },
  shards: { meaning: 'primaries of Redis; as many as needed by default', ...COUNT },
};
const numbers = Object.entries(NUMBERS) as [keyof Demand, NumberOption][];

/** For `parseArgs`. */
export const OPTIONS = {
  ...(Object.fromEntries(numbers.map(([name]) => [name, { type: 'string' }])) as Record<
    keyof Demand,
    { type: 'string' }
  >),
  docs: { type: 'string' },
  help: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

export const HELP = [
  'npm run capacity -- --views 50000 --sessions 2e7',
  'Calculates what a load needs, and which part ends first. See docs/scaling.md.\n',
  ...numbers.map(([name, { meaning, fallback }]) => {
    const value = fallback === undefined ? '' : ` (${fallback})`;
    return `  --${name} N`.padEnd(17) + meaning + value;
  }),
  '  --docs FILE    run the commands in this document again, and replace their output',
].join('\n');

/** Joins an option and a negative number, which `parseArgs` would take for another option. */
export function joinNegative(args: string[]): string[] {
  const isNegative = (text = '') => /^-[\d.]/.test(text);
  return args.flatMap((arg, i) => {
    if (isNegative(arg) && i > 0) return [];
    return isNegative(args[i + 1]) ? `${arg}=${args[i + 1]}` : arg;
  });
}

/** @throws {UsageError} if an option is not a number in its range */
export function readDemand(texts: { [name in keyof Demand]?: string | undefined }): Demand {
  const read = numbers.map(([name, option]) => [name, readNumber(name, option, texts[name])]);
  return Object.fromEntries(read);
}

function readNumber(
  name: string,
  { min, max, fallback, isWhole = false }: NumberOption,
  text: string | undefined,
): number | undefined {
  if (text === undefined) return fallback;
  const number = Number(text);
  const isNumber = /^\d+(\.\d+)?(e\d+)?$/i.test(text) && (!isWhole || Number.isInteger(number));
  if (isNumber && number >= min && number <= max) return number;
  const kind = isWhole ? 'a whole number' : 'a number';
  throw new UsageError(`\`--${name}\` expects ${kind} from ${min} to ${max}, not ${quoted(text)}.`);
}
