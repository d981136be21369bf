// npm run faults: makes each part fail under load, and shows what was lost, counted twice or slow.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { failure, UsageError } from '../lib/errors.mjs';
import { chooseByName, wholeNumber } from '../lib/options.ts';
import {
  checkSections,
  describeMachine,
  type Table,
  textTable,
  writeSection,
} from '../lib/report.ts';
import { type Options, type Result, runScenario, type Scenario } from './environment.ts';
import { scenarios } from './scenarios.ts';

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
  const { only, short, json, docs } = values;
  const chosen = chooseByName(only, scenarios).filter(({ isLong }) => !(isLong && short));
  if (chosen.length === 0)
    throw new UsageError(`\`--only ${only}\` has no short form; run it without \`--short\`.`);
  if (docs) checkSections(docs, ['faults']);
  const options = { seed: wholeNumber('--seed', values.seed, 0, 999_999_999), short };
  const results: Result[] = [];
  for (const scenario of chosen) {
    const from = performance.now();
    const result = await run(scenario, options);
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    console.log(`${scenario.name}: ${verdict(result)}, ${result.requests} requests, ${seconds} s`);
    for (const breach of result.breaches) console.log(`  ${breach}`);
    results.push(result);
  }
  const table = tableOf(results);
  console.log(`\n${textTable(table)}\n\nseed ${options.seed}`);
  if (json) writeFileSync(json, JSON.stringify({ ...options, results }, null, 2));
  const form = short ? 'short form' : 'long form';
  const machine = `${describeMachine()}, ${form}, seed ${options.seed}.`;
  if (docs) writeSection(docs, 'faults', machine, table);
  process.exit(results.some(({ breaches }) => breaches.length > 0) ? 1 : 0);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

/** A scenario that throws is a breach, and the others still run. */
async function run(scenario: Scenario, options: Options): Promise<Result> {
  try {
    return await runScenario(scenario, options);
  } catch (err) {
    const breaches = [`broke: ${(err as Error).message}`];
    const nothing = { requests: 0, failed: 0, lost: 0, countedTwice: 0, slowestMs: 0, notes: [] };
    return { name: scenario.name, breaches, ...nothing };
  }
}

function tableOf(results: Result[]): Table {
  const numbers = ['requests', 'failed', 'lost', 'counted twice', 'slowest ms'];
  const rows = results.map((result) => {
    const { name, requests, failed, lost, countedTwice, slowestMs, breaches, notes } = result;
    const measured = [...breaches.map((breach) => `BREACH: ${breach}`), ...notes].join('; ');
    const cells = [requests, failed, lost, countedTwice, slowestMs].map(String);
    return [name, ...cells, verdict(result), measured];
  });
  return { head: ['scenario', ...numbers, 'verdict', 'measurements'], rows };
}

function verdict({ breaches }: Result): string {
  return breaches.length === 0 ? 'ok' : 'BREACH';
}
