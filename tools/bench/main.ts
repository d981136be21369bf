// npm run bench: measures this project beside other ways to do the same, on this machine.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { failure, StackError } from '../lib/errors.mjs';
import { assertKnown, chooseByName, wholeNumber } from '../lib/options.ts';
import { findTools, type Tools } from '../lib/programs.mjs';
import { checkSections, describeMachine, textTable, writeSection } from '../lib/report.ts';
import { type BenchmarkOptions, GENERATORS, runBenchmark } from './benchmark.ts';
import { chart } from './chart.ts';
import { type Figure, figure, isMet } from './measures/figure.ts';
import { measures } from './measures/index.ts';
import { figureTable, summaryTable } from './report.ts';
import { ratios, summarize } from './summary.ts';
import { BASELINE, FAST_PATH, variants } from './variants.ts';

/** A load average at which other work on the machine distorts the figures. */
const BUSY = 0.5;

try {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string', multiple: true, default: [] },
      generator: { type: 'string', default: 'autocannon' },
      json: { type: 'string' },
      docs: { type: 'string' },
    },
  });
  const options = {
    rounds: wholeNumber('--rounds', values.rounds, 1, 9999),
    seconds: wholeNumber('--seconds', values.seconds, 1, 9999),
    generator: values.generator as keyof typeof GENERATORS,
  };
  assertKnown('--generator', values.generator, Object.keys(GENERATORS));
  const chosen = new Set(chooseByName(values.only, [...variants, ...measures]));
  const { json, docs } = values;
  const report = (line: string) => console.log(line);
  const [busy = 0] = loadavg();
  if (busy > BUSY)
    report(`The machine is busy (load ${busy.toFixed(1)}), so the ratios will vary.`);
  const load = `load average ${busy.toFixed(1)} at the start`;
  const machine = `${describeRun(options, findTools(report))}, ${load}.`;

  // The baseline is always measured too.
  const compared = variants.filter((one) => chosen.has(one) || one.name === BASELINE);
  const isCompared = variants.some((variant) => chosen.has(variant));
  if (docs) checkSections(docs, isCompared ? ['benchmark', 'figures'] : ['figures']);
  const measurements = isCompared ? await runBenchmark(compared, options, report) : [];
  const figures = FAST_PATH.flatMap(([fast, slow]) => gain(fast, ratios(measurements, fast, slow)));
  for (const measure of measures.filter((one) => chosen.has(one))) {
    report(`measuring ${measure.name}`);
    figures.push(...(await measure.run()));
  }

  const summaries = summarize(measurements, BASELINE);
  const tables = { benchmark: summaryTable(summaries), figures: figureTable(figures) };
  const filled = Object.entries(tables).filter(([, { rows }]) => rows.length > 0);
  report(`\n${filled.map(([, table]) => textTable(table)).join('\n\n')}\n\n${machine}`);
  if (json) {
    const content = { machine, ...options, summaries, measurements, figures };
    writeFileSync(json, `${JSON.stringify(content, null, 2)}\n`);
  }
  if (docs) {
    for (const [section, table] of filled) writeSection(docs, section, machine, table);
    const title = 'Requests per second, relative to bare Express (median and range)';
    if (summaries.length > 0) {
      writeFileSync(join(dirname(docs), 'performance.svg'), chart(summaries, title, machine));
    }
  }
  const missed = figures.filter((one) => one.isRequired && !isMet(one)).map(({ name }) => name);
  if (missed.length > 0) {
    throw new StackError(
      `${missed.join('; ')}: out of range. Find the cause, or correct tools/capacity/costs.ts.`,
    );
  }
  process.exit(0);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

/** The gain of the fast path, if a variant was measured with and without it. */
function gain(name: string, gains: number[]): Figure[] {
  if (!gains.some(Number.isFinite)) return [];
  const note = 'requests/s over those with FAST_PATH=off in the same round';
  return [figure(`${name}, gain of the fast path`, 'times', gains, { note })];
}

/** The day, the machine, the versions of all programs and the length of the run. */
function describeRun({ rounds, seconds, generator }: BenchmarkOptions, tools: Tools): string {
  const nginx = versionOf(tools.nginx, '-v', /(nginx)\/([\d.]+)/);
  const redis = versionOf(tools.redis, '--version', /^(\w+) server v=(\S+)/);
  const run = `${generator}, ${rounds} rounds of ${seconds} s each`;
  return `${describeMachine()}, ${nginx}, ${redis}, ${run}`;
}

function versionOf(file: string, option: string, pattern: RegExp): string | undefined {
  const { stdout, stderr } = spawnSync(file, [option], { encoding: 'utf8' });
  return pattern
    .exec(stdout + stderr)
    ?.slice(1)
    .join(' ');
}
