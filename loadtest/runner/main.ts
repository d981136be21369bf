// node loadtest/runner/main.ts run [options] SCRIPT: runs a k6 script without k6.
import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT, Refusal } from './refusal.ts';
import { Run } from './run.ts';

const USAGE = `Usage: run [options] SCRIPT
  -e, --env NAME=VALUE         sets __ENV.NAME
  --insecure-skip-tls-verify   accepts any certificate
  -h, --help`;

const ABOUT =
  "This is the project's own runner, not k6: a first look. For figures use k6, https://k6.io";

/** Options and settings of k6 that replace the scenarios of a script, or what judges them. */
const REPLACING =
  /^(-[udis].*|--(vus|duration|iterations|stage|no-thresholds|no-setup)\b.*|K6_(VUS|DURATION|ITERATIONS|STAGES|NO_THRESHOLDS|NO_SETUP|CONFIG))$/;
/** Settings that are not without effect here. */
const OURS = ['K6_IMAGE', 'K6_USER', 'K6_INSECURE_SKIP_TLS_VERIFY'];

const { stdout, stderr } = process;
const PROGRESS_MS = stderr.isTTY ? 500 : 10_000;

let exitCode: number;
try {
  exitCode = await main(process.argv.slice(2));
} catch (err) {
  if (!(err instanceof Refusal)) throw err;
  say('error', err.message);
  exitCode = err.exitCode;
}
// Also if requests are in progress, but after all was written.
stderr.write('', () => stdout.write('', () => process.exit(exitCode)));

async function main(words: string[]): Promise<number> {
  const { values, positionals } = parse(words);
  if (values.help) {
    stdout.write(`${USAGE}\n`);
    return 0;
  }
  const [command, file, ...rest] = positionals;
  if (command !== 'run' || !file || rest.length > 0) throw new Refusal(USAGE);
  if (!existsSync(file)) throw new Refusal(`${file}: there is no such file`);
  stderr.write(`${ABOUT}\n`);
  const isInsecure = process.env.K6_INSECURE_SKIP_TLS_VERIFY === 'true';
  const run = new Run({
    file: resolve(file),
    env: {
      ...(process.env as Record<string, string>),
      ...Object.fromEntries(values.env.map(pair)),
    },
    isInsecure: isInsecure || values['insecure-skip-tls-verify'],
    log: say,
  });
  await run.prepare();
  // Ctrl-C arrives twice, from the terminal and from npm.
  const end = (signal: string) => run.end(EXIT.signal, `${signal}: stopping`);
  process.on('SIGINT', end).on('SIGTERM', end);
  const progress = setInterval(() => showProgress(run), PROGRESS_MS);
  const code = await run.execute();
  clearInterval(progress);
  for (const [target, text] of Object.entries(await run.handleSummary())) {
    if (target === 'stdout') stdout.write(text);
    else if (target === 'stderr') stderr.write(text);
    else writeFileSync(target, text);
  }
  return code;
}

function parse(words: string[]) {
  const settings = Object.keys(process.env).filter((name) => name.startsWith('K6_'));
  const replacing = [...words, ...settings].find((word) => REPLACING.test(word));
  if (replacing) {
    throw new Refusal(
      `${replacing} replaces what the script judges: use its settings, as -e VUS=5`,
    );
  }
  const ignored = settings.filter((name) => !OURS.includes(name));
  if (ignored.length > 0) say('warn', `only k6 has ${ignored.join(', ')}`);
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        env: { type: 'string', short: 'e', multiple: true, default: [] },
        'insecure-skip-tls-verify': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (err) {
    throw new Refusal((err as Error).message.split('. ')[0] ?? '');
  }
}

/** Without a value, as in k6, it is that of the environment. */
function pair(text: string): [name: string, value: string] {
  const [name = '', value] = text.split(/=(.*)/s);
  return [name, value ?? process.env[name] ?? ''];
}

function showProgress({ counts, vus, elapsed }: Run): void {
  const time = `running (${(elapsed / 1000).toFixed(1)}s)`;
  const iterations = `${counts.complete} complete and ${counts.interrupted} interrupted iterations`;
  const line = `${time}, ${counts.active}/${vus} VUs, ${iterations}`;
  stderr.write(stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
}

function say(level: string, text: string): void {
  stderr.write(`${stderr.isTTY ? '\r\x1b[K' : ''}${level}: ${text}\n`);
}
