// npm run faults: has everything fail, under load, and shows what was lost, doubled or slow.
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, platform, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { failure, UsageError } from '../lib/errors.ts';
import { table, verdict, withLastRun } from './report.ts';
import { scenarios } from './scenarios.ts';
import type { Options, Result, Scenario } from './stage.ts';

try {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      only: { type: 'string', multiple: true, default: [] },
      short: { type: 'boolean', default: false },
      json: { type: 'string' },
      docs: { type: 'string' },
    },
  });
  const chosen = choose(values.only).filter(({ isLong }) => !(isLong && values.short));
  if (chosen.length === 0) throw new UsageError(`${values.only} cannot be shown in short`);
  const options = { seed: seedOf(values.seed), short: values.short };
  const results: Result[] = [];
  for (const scenario of chosen) {
    const from = performance.now();
    const result = await run(scenario, options);
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    console.log(`${scenario.name}: ${verdict(result)}, ${result.requests} requests, ${seconds} s`);
    for (const breach of result.breaches) console.log(`  ${breach}`);
    results.push(result);
  }
  console.log(`\n${table(results)}\n\nseed ${options.seed}`);
  if (values.json) writeFileSync(values.json, JSON.stringify({ ...options, results }, null, 2));
  if (values.docs) {
    const document = readFileSync(values.docs, 'utf8');
    writeFileSync(values.docs, withLastRun(document, results, describeRun(options)));
  }
  process.exit(results.some(({ breaches }) => breaches.length > 0) ? 1 : 0);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

/** When, where and how the results were measured. */
function describeRun({ seed, short }: Options): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${availableParallelism()} cores, ${memory} GiB, ${platform()} ${arch()}`;
  const form = short ? 'short form' : 'long form';
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, ${machine}, Node ${process.version}, ${form}, seed ${seed}.`;
}

function choose(names: string[]): Scenario[] {
  const known = scenarios.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--only ${unknown}: there are only ${known.join(', ')}`);
  }
  return scenarios.filter(({ name }) => names.length === 0 || names.includes(name));
}

function seedOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`--seed ${JSON.stringify(text)}: wants a whole number of up to 9 digits`);
}

/** A scenario that breaks is a breach, and the others are still run. */
async function run(scenario: Scenario, options: Options): Promise<Result> {
  try {
    return await scenario.run(options);
  } catch (err) {
    const breaches = [`broke: ${(err as Error).message}`];
    const nothing = { requests: 0, failed: 0, lost: 0, doubled: 0, slowestMs: 0, notes: [] };
    return { name: scenario.name, breaches, ...nothing };
  }
}
