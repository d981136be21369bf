// npm run bench: how fast this project is beside other ways to do the same, on this machine.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, loadavg, platform, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { failure, UsageError } from '../lib/errors.ts';
import { findTools, type Tools } from '../stack/tools.ts';
import { chart } from './chart.ts';
import { type ContestOptions, holdContest } from './contest.ts';
import { BASELINE, contestants } from './contestants.ts';
import { summarize } from './figures.ts';
import { GENERATORS, type Generator } from './load.ts';
import type { Figure } from './measures/figure.ts';
import { measurements } from './measures/index.ts';
import { checkSections, figureTable, showAll, summaryTable, withLastRun } from './report.ts';

/** The load average from which on the machine is too busy with something else. */
const BUSY = 0.5;

try {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      generator: { type: 'string', default: 'autocannon' },
      json: { type: 'string' },
      docs: { type: 'string' },
    },
  });
  const options = {
    rounds: count('--rounds', values.rounds),
    seconds: count('--seconds', values.seconds),
    generator: generatorOf(values.generator),
  };
  const isChosen = choose(values.only.split(',').filter(Boolean));
  const { json, docs } = values;
  if (docs) checkSections(docs, readFileSync(docs, 'utf8'));
  const report = (line: string) => console.log(line);
  const [busy = 0] = loadavg();
  if (busy > BUSY) report(`the machine is busy (load ${busy.toFixed(1)}): the ratios will vary`);
  const tools = findTools(report);

  const rivals = contestants.filter(({ name }) => isChosen(name));
  // The one that the others are compared with is always there.
  const field = contestants.filter((one) => rivals.includes(one) || one.name === BASELINE);
  const contest = rivals.length === 0 ? [] : await holdContest(field, options, tools, report);
  const figures: Figure[] = [];
  for (const { name, measure } of measurements.filter((one) => isChosen(one.name))) {
    report(`measuring ${name}`);
    figures.push(...(await measure()));
  }

  const summaries = summarize(contest, BASELINE);
  const machine = describeRun(options, tools);
  const tables = [summaryTable(summaries), figureTable(figures)].filter(({ rows }) => rows.length);
  report(`\n${tables.map(showAll).join('\n\n')}\n\n${machine}`);
  if (json) {
    const content = { machine, ...options, summaries, measurements: contest, figures };
    writeFileSync(json, `${JSON.stringify(content, null, 2)}\n`);
  }
  if (docs) {
    writeFileSync(docs, withLastRun(readFileSync(docs, 'utf8'), tables, machine));
    const title = 'Requests per second, relative to bare Express (median and range)';
    if (contest.length > 0) {
      writeFileSync(join(dirname(docs), 'performance.svg'), chart(summaries, title, machine));
    }
  }
  process.exit(0);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

/** When, where and with what it was measured. */
function describeRun({ rounds, seconds, generator }: ContestOptions, tools: Tools): string {
  const day = new Date().toISOString().slice(0, 10);
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${availableParallelism()} cores, ${memory} GiB, ${platform()} ${arch()}`;
  const nginx = /nginx\/([\d.]+)/.exec(versionOf(tools.nginx, '-v'))?.[1];
  const [, redis, version] =
    /^(\w+) server v=(\S+)/.exec(versionOf(tools.redis, '--version')) ?? [];
  const versions = `Node ${process.version}, nginx ${nginx}, ${redis} ${version}`;
  return `${day}, ${machine}, ${versions}, ${generator}, ${rounds} rounds of ${seconds} s each.`;
}

function versionOf(file: string, option: string): string {
  const { stdout, stderr } = spawnSync(file, [option], { encoding: 'utf8' });
  return stdout + stderr;
}

/** What is measured: the contestants and measurements of these names, or all. */
function choose(names: string[]): (name: string) => boolean {
  const known = [...contestants, ...measurements].map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return (name) => names.length === 0 || names.includes(name);
  throw new UsageError(`--only ${unknown}: there are only ${known.join(', ')}`);
}

function generatorOf(text: string): Generator {
  const generator = GENERATORS.find((known) => known === text);
  if (generator) return generator;
  throw new UsageError(`--generator ${text}: there are only ${GENERATORS.join(', ')}`);
}

function count(option: string, text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new UsageError(`${option} ${JSON.stringify(text)}: wants a whole number from 1 to 9999`);
}
