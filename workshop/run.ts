// npm run lesson: lists the lessons or runs some of them.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { failure, UsageError } from '../tools/lib/errors.mjs';
import { openInBrowser } from '../tools/lib/open-in-browser.ts';
import { wholeNumber } from '../tools/lib/options.ts';
import { ROOT } from '../tools/lib/root.mjs';
import { catalog, type Entry, find, load } from './kit/catalog.ts';
import { ContainerDeployment } from './kit/container-deployment.ts';
import { updateDocument } from './kit/documents.ts';
import { Environment } from './kit/environment.ts';
import type { Lesson, WayName } from './kit/lesson.ts';
import { NativeDeployment } from './kit/native-deployment.ts';
import { recordPrediction } from './kit/progress.ts';
import { askAll } from './kit/questions.ts';
import { guessesOf, matchesClaim, type Result, report, toJson } from './kit/report.ts';
import { writeSummary } from './kit/summary.ts';
import { Wall } from './wall/wall.ts';

type Environments = Record<WayName, Environment>;

const USAGE = `npm run lesson -- NAME   runs a lesson; NAME can be its number
  --all      runs all lessons
  --docker   runs them in containers
  --keep WAY keeps the last stack of the way "wrong" or "right" running until Ctrl-C
  --show     opens a page that shows both ways side by side, and keeps both until Ctrl-C
  --present  as --show, for a wall: phones vote predictions, and Enter or a key of the page goes on;
             with BIND=0.0.0.0 phones reach it, and PUBLIC_URL replaces its address for them
  --port N   the port of that page; any free one by default
  --no-ask   asks no questions before the run; on a terminal it asks one or two
  --json     prints the results as JSON: [{name, claim, wrong, right, ok}]
  --docs     updates the output and the code in README.md of the lesson
Exit code 1: an observation contradicts the claim of a lesson.`;

const KEEP_EXPECTS = '`--keep` expects `wrong` or `right`, for example `--keep wrong`.';
/** The names of stacks that stay. On a page with both ways, that of the wrong way ends with `-wrong`. */
const KEPT = 'lesson';
const PRESENTED = 'present';
/** For each way of a lesson; the first one may have to build images. */
const TIMEOUT_MS = 300_000;

try {
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = parse({
    allowPositionals: true,
    options: {
      list: flag,
      all: flag,
      docker: flag,
      keep: { type: 'string' },
      show: flag,
      present: flag,
      port: { type: 'string', default: '0' },
      json: flag,
      docs: flag,
      'no-ask': flag,
    },
  });
  const isShown = values.show || values.present;
  const kept = keptWay(values.keep ?? (isShown ? 'right' : undefined));
  const entries = values.all ? catalog() : positionals.map(find);
  if (values.list || entries.length === 0) {
    const lines = catalog().map((it) => `${it.number} ${it.name.padEnd(24)} ${it.question}`);
    console.log([...lines, '', USAGE].join('\n'));
    process.exit(0);
  }
  const wall = isShown ? await startWall(values) : undefined;
  const name = kept && (values.present ? PRESENTED : KEPT);
  const environments = createEnvironments(values.docker, name, wall);
  closeOnSignal(environments);
  // With --json, only the results go to the standard output.
  const output = values.json ? process.stderr : process.stdout;
  const say = (text: string) => output.write(`${text}\n`);
  const hasUser = process.stdin.isTTY && process.stdout.isTTY;
  const isAsking = hasUser && !values.present && !values['no-ask'] && !values.docs;
  const results: Result[] = [];
  for (const entry of entries) {
    say(`\n${entry.number} ${entry.name}: ${entry.question}\n`);
    const lesson = await load(entry);
    const answers = isAsking ? await askAll(lesson.asks, output) : [];
    wall?.begin(entry, lesson, entry === entries.at(-1));
    if (wall) await closeAll(environments);
    if (values.present) await wall?.untilNext();
    const result = { ...(await run(entry.name, lesson, environments, { kept, wall })), answers };
    results.push(result);
    wall?.finish(result);
    say(report(result, output));
    const guesses = guessesOf(result);
    if (guesses.length > 0) {
      recordPrediction(entry.name, guesses);
      writeSummary();
    }
    if (values.docs) writeDocs(entry, result);
    if (values.present && entry !== entries.at(-1)) await wall?.untilNext();
  }
  if (values.json) console.log(JSON.stringify(results.map(toJson), null, 2));
  const locations = stacksOf(environments).flatMap(({ location }) => location ?? []);
  if (kept && locations.length > 0) {
    for (const location of locations) say(`\nThe stack is running: ${location}`);
    say('Press Ctrl-C to end it.');
    await new Promise(() => setInterval(() => {}, TIMEOUT_MS));
  }
  await closeAll(environments);
  process.exit(results.every(matchesClaim) ? 0 : 1);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

/** As parseArgs, with a message of our own if `--keep` has no value. */
function parse<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (err) {
    throw (err as Error).message.startsWith("Option '--keep") ? new UsageError(KEEP_EXPECTS) : err;
  }
}

/** @throws {UsageError} if it is no way */
function keptWay(value: string | undefined): WayName | undefined {
  if (value === undefined || value === 'wrong' || value === 'right') return value;
  throw new UsageError(KEEP_EXPECTS);
}

/** One environment for each way; the same one for both if there is no wall that shows both. */
function createEnvironments(
  docker: boolean,
  name: string | undefined,
  wall: Wall | undefined,
): Environments {
  const create = (way: WayName, own: string | undefined) =>
    new Environment(
      ({ env, ...options }) => {
        const all = { ...options, env: { ...env, ...(wall && { FRAME_PORT: String(wall.port) }) } };
        const project = `shared-state-${own ?? `lesson-${randomBytes(4).toString('hex')}`}`;
        return docker ? new ContainerDeployment(all, project) : new NativeDeployment(all, own);
      },
      (deployment) => wall?.show(way, deployment),
    );
  const right = create('right', name);
  return { wrong: wall ? create('wrong', `${name}-wrong`) : right, right };
}

function stacksOf({ wrong, right }: Environments): Environment[] {
  return [...new Set([wrong, right])];
}

async function closeAll(environments: Environments): Promise<void> {
  await Promise.all(stacksOf(environments).map((one) => one.close()));
}

/** Starts the wall and opens it in the browser. */
async function startWall({ present, port }: { present: boolean; port: string }): Promise<Wall> {
  const { BIND, PUBLIC_URL } = process.env;
  const wall = await Wall.start({
    isPresented: present,
    port: wholeNumber('--port', port, 0, 65_535),
    bind: (present && BIND) || '127.0.0.1',
    publicUrl: PUBLIC_URL || undefined,
  });
  console.error(`The wall: ${wall.url}`);
  if (present) {
    console.error(
      wall.audienceUrl
        ? `For phones: ${wall.audienceUrl}`
        : 'Phones do not reach it; to let them vote, set BIND=0.0.0.0.',
    );
    console.error('Press Enter to go on, or use the button on the wall.');
    process.stdin.on('data', () => wall.next());
  }
  openInBrowser(wall.url);
  return wall;
}

/** Runs the wrong way and the right way; the kept one last. An error ends this lesson, but not the run. */
async function run(
  name: string,
  lesson: Lesson,
  environments: Environments,
  { kept = 'right', wall }: { kept: WayName | undefined; wall: Wall | undefined },
): Promise<Result> {
  const result: Result = { name, lesson, wrong: {}, right: {} };
  try {
    const ways: WayName[] = kept === 'right' ? ['wrong', 'right'] : ['right', 'wrong'];
    for (const way of ways) {
      wall?.run(way);
      showProgress(`${way}: ${lesson[way].summary} ...`);
      const timeout = delay(TIMEOUT_MS, undefined, { ref: false }).then(() => {
        throw new Error(`it took longer than ${TIMEOUT_MS / 1000} s`);
      });
      result[way] = await Promise.race([lesson[way].observe(environments[way]), timeout]);
    }
    return result;
  } catch (err) {
    return { ...result, error: failure(err).text };
  } finally {
    showProgress('');
  }
}

/** Shows a line on a terminal; the next line replaces it. */
function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

function writeDocs({ folder }: Entry, result: Result): void {
  const file = join(ROOT, folder, 'README.md');
  writeFileSync(file, updateDocument(readFileSync(file, 'utf8'), report(result)));
}

/** Ends the stack at the first signal. npm sends Ctrl-C a second time; that one is ignored. */
function closeOnSignal(environments: Environments): void {
  let isClosing = false;
  const close = async () => {
    if (isClosing) return;
    isClosing = true;
    await closeAll(environments).catch((err) => console.error(failure(err).text));
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, close);
}
