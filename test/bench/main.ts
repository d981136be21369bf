// npm run bench: how fast this project is beside other ways to do the same, on this machine.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, loadavg, platform, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { failure } from '../../services/stack/commands.ts';
import { UsageError } from '../../services/stack/errors.ts';
import { Guard } from '../../services/stack/guard.ts';
import { findTools, type Tools } from '../../services/stack/tools.ts';
import { chart } from './chart.ts';
import { BASELINE, type Contestant, contestants } from './contestants.ts';
import { type Measurement, orderOf, summarize } from './figures.ts';
import { GENERATORS, type Generator, type Job, putLoad } from './load.ts';
import { hasSection, table, withLastRun } from './report.ts';
import { Runner } from './runner.ts';
import { type Site, startSite } from './site.ts';

/** Seconds of load before the first round, for V8 to compile what is used most. */
const WARM_UP_SECONDS = 3;

/** The load average from which on the machine is too busy with something else. */
const BUSY = 0.5;

/** How all contestants are measured. */
interface Options {
  rounds: number;
  seconds: number;
  generator: Generator;
}

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
  const chosen = choose(values.only.split(',').filter(Boolean));
  if (values.docs && !hasSection(readFileSync(values.docs, 'utf8'))) {
    throw new UsageError(
      `--docs ${values.docs}: it has no lines <!-- bench --> and <!-- /bench -->`,
    );
  }
  const report = (line: string) => console.log(line);
  const [busy = 0] = loadavg();
  if (busy > BUSY) report(`the machine is busy (load ${busy.toFixed(1)}): the ratios will vary`);
  const tools = findTools(report);
  const measurements = await run(chosen, options, tools, report);
  const summaries = summarize(measurements, BASELINE);
  const machine = describeRun(options, tools);
  console.log(`\n${table(summaries)}\n\n${machine}`);
  if (values.json) {
    const content = { machine, ...options, summaries, measurements };
    writeFileSync(values.json, `${JSON.stringify(content, null, 2)}\n`);
  }
  if (values.docs) {
    const document = readFileSync(values.docs, 'utf8');
    writeFileSync(values.docs, withLastRun(document, summaries, machine));
    const title = 'Requests per second, relative to bare Express (median and range)';
    writeFileSync(join(dirname(values.docs), 'performance.svg'), chart(summaries, title, machine));
  }
  process.exit(0);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

/** Starts all contestants, warms each up, and measures them in turn, round by round. */
async function run(
  chosen: Contestant[],
  { rounds, seconds, generator }: Options,
  tools: Tools,
  report: (line: string) => void,
): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-bench-'));
  chmodSync(folder, 0o711); // for the workers of nginx, which are another user when it runs as root
  const around = { folder, guard: new Guard(folder), report };
  const load = (job: Job) => putLoad(generator, job, around.guard);
  const sites = new Map<string | undefined, Site>(); // by program: those of this project share one
  const runners: Runner[] = [];
  for (const contestant of chosen) {
    const { name, program } = contestant;
    const site = sites.get(program) ?? (await startSite(contestant, tools, around));
    sites.set(program, site);
    const runner = new Runner(contestant, site, load);
    await runner.warmUp(WARM_UP_SECONDS);
    report(`${name} is warm`);
    runners.push(runner);
  }
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const runner of orderOf(runners, round - 1)) {
      const measurement = await runner.measure(round, seconds);
      const { name, requestsPerSecond } = measurement;
      report(`round ${round}: ${name} ${requestsPerSecond.toFixed(0)} requests/s`);
      measurements.push(measurement);
    }
  }
  for (const site of sites.values()) await site.close();
  around.guard.close();
  return measurements;
}

/** When, where and with what it was measured. */
function describeRun({ rounds, seconds, generator }: Options, tools: Tools): string {
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

/** The contestants of these names, or all; always with the one that the others are compared with. */
function choose(names: string[]): Contestant[] {
  const known = contestants.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`--only ${unknown}: there are only ${known.join(', ')}`);
  }
  const isChosen = (name: string) => names.includes(name) || name === BASELINE;
  return contestants.filter(({ name }) => names.length === 0 || isChosen(name));
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
