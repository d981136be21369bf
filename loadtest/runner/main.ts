// node loadtest/runner/main.ts run [options] SCRIPT: runs a k6 script without k6.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { textSummary } from '../lib/text-summary.ts';
import { JsonOutput } from './output.ts';
import { ProgressLine } from './progress.ts';
import { EXIT, Refusal } from './refusal.ts';
import { Run } from './run.ts';

const USAGE = `Usage: run [options] SCRIPT
  -e, --env NAME=VALUE       sets __ENV.NAME
  -u, --vus N                these three replace the script's own scenarios
  -d, --duration TIME
  -i, --iterations N
  -o, --out json=FILE        writes every sample as a line of JSON
  --summary-trend-stats LIST such as avg,p(99)
  -q, --quiet                no banner, no progress`;

const BANNER = `
  This is the project's own small runner, not k6. It runs the same scripts; its figures are
  indicative, and what it lacks it refuses. For figures to rely on use k6: https://k6.io
`;

/** Milliseconds within which two signals are one: Ctrl-C comes from the terminal and from npm. */
const TWICE_MS = 1000;

/** Settings that say where k6 is to be had, in docker-compose.yml and for `npm run loadtest`. */
const OWN_SETTINGS = ['K6_IMAGE', 'K6_USER'];

const log = (level: string, text: string, fromScript = false) => {
  progress?.clear();
  process.stderr.write(`${level}: ${text}${fromScript ? ' source=console' : ''}\n`);
};

let progress: ProgressLine | undefined;
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (err) {
  const { exitCode = EXIT.configuration, message } = err as Refusal;
  if (!(err instanceof Refusal) && !String((err as { code?: string }).code).startsWith('ERR_PARSE'))
    throw err;
  log('error', message);
  process.exitCode = exitCode;
}

async function main(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      env: { type: 'string', short: 'e', multiple: true, default: [] },
      vus: { type: 'string', short: 'u' },
      duration: { type: 'string', short: 'd' },
      iterations: { type: 'string', short: 'i' },
      out: { type: 'string', short: 'o' },
      'summary-trend-stats': { type: 'string' },
      quiet: { type: 'boolean', short: 'q', default: false },
    },
  });
  const [command, file, ...rest] = positionals;
  if (command !== 'run' || !file || rest.length > 0) throw new Refusal(USAGE);
  refuseSettings();
  const output = values.out === undefined ? undefined : openOutput(values.out);
  const run = await Run.prepare({
    file,
    env: { ...(process.env as Record<string, string>), ...pairs(values.env) },
    overrides: {
      vus: wholeNumber('--vus', values.vus),
      duration: values.duration,
      iterations: wholeNumber('--iterations', values.iterations),
      summaryTrendStats: values['summary-trend-stats']?.split(','),
    },
    output,
    log,
  });
  if (!values.quiet) {
    process.stderr.write(`${BANNER}\n`);
    progress = new ProgressLine(run);
  }
  endOnSignal(run);
  try {
    await run.makeUsers();
    const exitCode = await run.execute();
    progress?.end();
    await summarize(run);
    return exitCode;
  } finally {
    run.close();
    await output?.close();
  }
}

/** Prints the summary, or does with it what the script wants. */
async function summarize(run: Run): Promise<void> {
  const data = run.summary();
  const texts = (await run.handleSummary(data)) ?? { stdout: textSummary(data) };
  for (const [where, text] of Object.entries(texts)) {
    if (where === 'stdout') process.stdout.write(text);
    else if (where === 'stderr') process.stderr.write(text);
    else writeFileSync(where, text);
  }
}

/** The first signal ends the run with a summary, a later one at once. */
function endOnSignal(run: Run): void {
  let since: number | undefined;
  const end = (signal: NodeJS.Signals) => {
    if (since !== undefined && Date.now() - since > TWICE_MS) process.exit(EXIT.signal);
    since ??= Date.now();
    run.end(EXIT.signal, `${signal}: stopping`);
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}

/** Settings of k6 that come by environment would be ignored here, and nothing is ignored. */
function refuseSettings(): void {
  const settings = Object.keys(process.env).filter(
    (name) => name.startsWith('K6_') && !OWN_SETTINGS.includes(name),
  );
  if (settings.length > 0) throw new Refusal(`this runner lacks ${settings.join(', ')}`);
}

function openOutput(text: string): JsonOutput {
  const [, file] = /^json=(.+)$/.exec(text) ?? [];
  if (!file) throw new Refusal(`--out ${text}: this runner lacks it; it has json=FILE`);
  return new JsonOutput(file);
}

function pairs(list: string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((pair) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
      if (name === undefined || value === undefined) {
        throw new Refusal(`--env ${pair}: wants NAME=VALUE`);
      }
      return [name, value];
    }),
  );
}

function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Refusal(`${option} ${text}: wants a whole number above 0`);
}
