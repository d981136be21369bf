// npm run bench: measures this project beside other ways to do the same, on this machine.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { failure, StackError } from '../lib/errors.mjs';
import { assertKnown, chooseByName, wholeNumber } from '../lib/options.ts';
import { findTools, type Tools } from '../lib/programs.mjs';
import {
  checkSections,
  describeMachine,
  replaceSection,
  textTable,
  writeSection,
} from '../lib/report.ts';
import { type BenchmarkOptions, GENERATORS, runBenchmark } from './benchmark.ts';
import { chart } from './chart.ts';
import { type Figure, isMet } from './measures/figure.ts';
import { measures } from './measures/index.ts';
import { describeOtherWork, reasonsAgainst, watchOtherWork } from './other-work.ts';
import { quotesFrom, TOO_BUSY } from './quotes.ts';
import { figureTable, summaryTable } from './report.ts';
import { estimateSeconds, SETS } from './sets.ts';
import { spreadOf, summarize } from './summary.ts';
import { BASELINE, MINIMAL_NGINX, variants } from './variants.ts';

try {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string', multiple: true, default: ['quoted'] },
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
  const chosen = new Set(chooseByName(values.only, [...variants, ...measures], SETS));
  const names = new Set([...chosen].map(({ name }) => name));
  const { json, docs } = values;
  // The README is beside the folder of the document, and its quotes need all of their figures.
  const readme =
    docs && SETS.quoted.every((name) => names.has(name)) && join(dirname(docs), '../README.md');
  const report = (line: string) => console.log(line);
  const machine = [describeMachine(), describeRun(options, findTools(report))];

  // The baseline is always measured too.
  const isCompared = variants.some((variant) => chosen.has(variant));
  const compared = variants.filter(
    (one) => chosen.has(one) || (isCompared && one.name === BASELINE),
  );
  const chosenMeasures = measures.filter((one) => chosen.has(one));
  if (docs) checkSections(docs, isCompared ? ['benchmark', 'figures'] : ['figures']);
  if (readme) checkSections(readme, ['quoted']);
  const minutes = estimateSeconds(compared, chosenMeasures, options) / 60;
  report(`This takes about ${Math.ceil(minutes)} min on two cores. Run nothing else meanwhile.`);
  const otherWork = await watchOtherWork(report);
  const measurements = await runBenchmark(compared, options, report);
  const figures: Figure[] = [];
  for (const measure of chosenMeasures) {
    report(`measuring ${measure.name}, about ${measure.seconds} s`);
    figures.push(...(await measure.run()));
  }

  const disturbance = { ...otherWork(), spread: spreadOf(measurements, BASELINE) };
  const tooBusy = reasonsAgainst(disturbance);
  const other = describeOtherWork(disturbance);
  const notes = [...machine, other];
  const remark = tooBusy.length > 0 ? ` ${TOO_BUSY}: ${tooBusy.join('; ')}.` : '';
  const run = `${machine.join(', ')}. ${other}.${remark}`;
  const summaries = summarize(measurements, BASELINE, MINIMAL_NGINX);
  const tables = { benchmark: summaryTable(summaries), figures: figureTable(figures) };
  const filled = Object.entries(tables).filter(([, { rows }]) => rows.length > 0);
  report(`\n${filled.map(([, table]) => textTable(table)).join('\n\n')}\n\n${run}`);
  if (json) {
    const content = { run, tooBusy, disturbance, ...options, summaries, measurements, figures };
    writeFileSync(json, `${JSON.stringify(content, null, 2)}\n`);
  }
  if (docs) {
    for (const [section, table] of filled) writeSection(docs, section, run, table);
    const title = 'Requests per second, relative to bare Express (median and range)';
    if (summaries.length > 0) {
      const drawing = chart(summaries, title, [
        ...notes,
        ...tooBusy.map((reason) => `${TOO_BUSY}: ${reason}`),
      ]);
      writeFileSync(join(dirname(docs), 'performance.svg'), drawing);
    }
  }
  if (docs && readme) replaceSection(readme, 'quoted', quotesFrom(readFileSync(docs, 'utf8')));
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

/** The versions of the programs, and the length of the run. */
function describeRun({ rounds, seconds, generator }: BenchmarkOptions, tools: Tools): string {
  const nginx = versionOf(tools.nginx, '-v', /(nginx)\/([\d.]+)/);
  const redis = versionOf(tools.redis, '--version', /^(\w+) server v=(\S+)/);
  return `${nginx}, ${redis}, ${generator}, ${rounds} rounds of ${seconds} s each`;
}

function versionOf(file: string, option: string, pattern: RegExp): string | undefined {
  const { stdout, stderr } = spawnSync(file, [option], { encoding: 'utf8' });
  return pattern
    .exec(stdout + stderr)
    ?.slice(1)
    .join(' ');
}
