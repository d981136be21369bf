// npm run lesson: lists the lessons or runs some of them.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { failure, UsageError } from '../tools/lib/errors.mjs';
import { openInBrowser } from '../tools/lib/open-in-browser.ts';
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

const USAGE = `npm run lesson -- NAME   runs a lesson; NAME can be its number
  --all      runs all lessons
  --docker   runs them in containers
  --keep WAY keeps the last stack of the way "wrong" or "right" running until Ctrl-C
  --show     keeps one too (of the right way, without --keep), and opens its page in the browser,
             at the lesson's step of the tour
  --no-ask   asks no questions before the run; on a terminal it asks one or two
  --json     prints the results as JSON: [{name, claim, wrong, right, ok}]
  --docs     updates the output and the code in README.md of the lesson
Exit code 1: an observation contradicts the claim of a lesson.`;

const KEEP_EXPECTS = '`--keep` expects `wrong` or `right`, for example `--keep wrong`.';
/** The name of the stack with `--keep` or `--show`. */
const KEPT = 'lesson';
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
      json: flag,
      docs: flag,
      'no-ask': flag,
    },
  });
  const kept = keptWay(values.keep ?? (values.show ? 'right' : undefined));
  const entries = values.all ? catalog() : positionals.map(find);
  if (values.list || entries.length === 0) {
    const lines = catalog().map((it) => `${it.number} ${it.name.padEnd(24)} ${it.question}`);
    console.log([...lines, '', USAGE].join('\n'));
    process.exit(0);
  }
  const environment = createEnvironment(values.docker, kept && KEPT);
  closeOnSignal(environment);
  // With --json, only the results go to the standard output.
  const output = values.json ? process.stderr : process.stdout;
  const say = (text: string) => output.write(`${text}\n`);
  const hasUser = process.stdin.isTTY && process.stdout.isTTY;
  const isAsking = hasUser && !values['no-ask'] && !values.docs;
  const results: Result[] = [];
  for (const entry of entries) {
    say(`\n${entry.number} ${entry.name}: ${entry.question}\n`);
    const lesson = await load(entry);
    const answers = isAsking ? await askAll(lesson.asks, output) : [];
    const result = { ...(await run(entry.name, lesson, environment, kept)), answers };
    results.push(result);
    say(report(result, output));
    const guesses = guessesOf(result);
    if (guesses.length > 0) {
      recordPrediction(entry.name, guesses);
      writeSummary();
    }
    if (values.docs) writeDocs(entry, result);
  }
  if (values.json) console.log(JSON.stringify(results.map(toJson), null, 2));
  if (kept && environment.location) {
    say(`\nThe stack is running: ${environment.location}`);
    if (values.show) {
      const scene = results.at(-1)?.lesson.scene;
      const page = `${environment.url}/${scene ? `#tour=${scene}` : ''}`;
      say(`To see it on the page: ${page}`);
      openInBrowser(page);
    }
    say('Press Ctrl-C to end it.');
    await new Promise(() => setInterval(() => {}, TIMEOUT_MS));
  }
  await environment.close();
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

function createEnvironment(docker: boolean, name: string | undefined): Environment {
  const project = `shared-state-${name ?? `lesson-${randomBytes(4).toString('hex')}`}`;
  return new Environment((options) =>
    docker ? new ContainerDeployment(options, project) : new NativeDeployment(options, name),
  );
}

/**
 * Runs the wrong way and the right way. An error ends this lesson, but not the run.
 *
 * @param last the way that runs last, so that its stack stays
 */
async function run(
  name: string,
  lesson: Lesson,
  environment: Environment,
  last: WayName = 'right',
): Promise<Result> {
  const result: Result = { name, lesson, wrong: {}, right: {} };
  try {
    const ways: WayName[] = last === 'right' ? ['wrong', 'right'] : ['right', 'wrong'];
    for (const way of ways) {
      showProgress(`${way}: ${lesson[way].summary} ...`);
      const timeout = delay(TIMEOUT_MS, undefined, { ref: false }).then(() => {
        throw new Error(`it took longer than ${TIMEOUT_MS / 1000} s`);
      });
      result[way] = await Promise.race([lesson[way].observe(environment), timeout]);
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
function closeOnSignal(environment: Environment): void {
  let isClosing = false;
  const close = async () => {
    if (isClosing) return;
    isClosing = true;
    await environment.close().catch((err) => console.error(failure(err).text));
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, close);
}
