// npm run lesson: lists the lessons, or runs some of them.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failure } from '../tools/lib/errors.ts';
import { ROOT } from '../tools/lib/root.ts';
import { ContainerLab } from './kit/container-lab.ts';
import { course, type Entry, find, load } from './kit/course.ts';
import { updated } from './kit/documents.ts';
import type { Lab } from './kit/lab.ts';
import { NativeLab } from './kit/native-lab.ts';
import { forMachines, isAsClaimed, type Result, report } from './kit/report.ts';

const USAGE = `npm run lesson -- NAME   runs a lesson; its number will do
  --all      all of them
  --docker   on containers
  --keep     leaves the stack of its right way up until Ctrl-C
  --json     prints the results for machines: [{name, claim, wrong, right, ok}]
  --docs     writes what was printed, and the code as it is, into its README.md
Exit code 1: something was observed that is not what the text claims.`;

/** The name of the stack that is left up. */
const KEPT = 'lesson';
/** Milliseconds for one way of a lesson; containers may have to be built first. */
const PATIENCE_MS = 300_000;
/** The exit code where a signal ended it. */
const SIGNALLED = 130;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      list: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      docker: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      docs: { type: 'boolean', default: false },
    },
  });
  const entries = values.all ? course() : positionals.map(find);
  if (values.list || entries.length === 0) {
    list();
    process.exit(0);
  }
  const name = values.keep ? KEPT : undefined;
  const lab = values.docker ? new ContainerLab(name) : new NativeLab(name);
  closeOnSignal(lab);
  // With --json what people read goes where it does not disturb.
  const say = values.json ? console.error : console.log;
  const results: Result[] = [];
  for (const entry of entries) {
    const lesson = await load(entry);
    say(`\n${entry.number} ${entry.name}: ${entry.question}\n`);
    const result = await run({ name: entry.name, lesson, wrong: {}, right: {} }, lab);
    results.push(result);
    say(report(result));
    if (values.docs) writeDown(entry, result);
  }
  if (values.json) console.log(JSON.stringify(results.map(forMachines), null, 2));
  process.exitCode = results.every(isAsClaimed) ? 0 : 1;
  if (values.keep && lab.where) await keepUp(lab.where, say);
  await lab.close();
  process.exit();
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

function list(): void {
  for (const { number, name, question } of course()) {
    console.log(`${number} ${name.padEnd(24)} ${question}`);
  }
  console.log(`\n${USAGE}`);
}

/** Runs the wrong way and then the right one. One that breaks observes nothing, and the run goes on. */
async function run(result: Result, lab: Lab): Promise<Result> {
  const { wrong, right } = result.lesson;
  const tooLate = AbortSignal.timeout(PATIENCE_MS);
  const broken = new Promise<never>((_, reject) => {
    tooLate.onabort = () => reject(new Error(`it did not end in ${PATIENCE_MS / 1000} s`));
  });
  try {
    showProgress(`wrong: ${wrong.what} ...`);
    const sawWrong = await Promise.race([wrong.observe(lab), broken]);
    showProgress(`right: ${right.what} ...`);
    const sawRight = await Promise.race([right.observe(lab), broken]);
    return { ...result, wrong: sawWrong, right: sawRight };
  } catch (err) {
    return { ...result, broken: failure(err).text };
  } finally {
    showProgress('');
  }
}

/** Shows a person what goes on; the line is gone when it is over. */
function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

/** Puts what was seen, and the code as it is, into the text of a lesson. */
function writeDown({ folder }: Entry, result: Result): void {
  const file = join(ROOT, folder, 'README.md');
  writeFileSync(file, updated(readFileSync(file, 'utf8'), report(result)));
}

/** Leaves the stack as it is until a signal comes. */
async function keepUp(where: string, say: (line: string) => void): Promise<never> {
  say(`\nIt is up: ${where}\nCtrl-C ends it.`);
  return new Promise(() => setInterval(() => {}, PATIENCE_MS));
}

/** At the first signal the stack is ended, and then this; the second one is npm's. */
function closeOnSignal(lab: Lab): void {
  let isEnding = false;
  const end = async () => {
    if (isEnding) return;
    isEnding = true;
    await lab.close().catch((err) => console.error(failure(err).text));
    process.exit(SIGNALLED);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
}
