// npm run exercise: lists the exercises, or checks the program of a participant at each save.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, styleText } from 'node:util';
import { failure, UsageError } from '../tools/lib/errors.mjs';
import { ROOT } from '../tools/lib/root.mjs';
import { END_SIGNALS } from '../tools/lib/terminal.mjs';
import { type Entry, exercises, find, findExercise, loadExercise } from './kit/catalog.ts';
import { programOf, shown, solutionDiff, startAgain } from './kit/exercise-files.ts';
import { ExerciseStack } from './kit/exercise-stack.ts';
import { readProgress, recordExercise } from './kit/progress.ts';
import { Saves } from './kit/saves.ts';
import { writeSummary } from './kit/summary.ts';

const USAGE = `npm run exercise            lists the exercises, and which ones you have solved
npm run exercise -- NAME    copies its program to workshop/my-solutions/NAME.ts, and checks it
                            each time you save it; NAME can be the number
  --once       checks it once
  --hint N     shows a hint, 1 to 3
  --solution   shows the difference between your program and the solution
  --reset      starts again; your program stays as NAME.old.ts
  --status     lists the exercises
Exit code 1: the program does not meet a requirement.`;

/** The stack, for `npm run stack -- --name exercise`. */
const NAME = 'exercise';

type Style = Parameters<typeof styleText>[0];
const paint = (style: Style, text: string) => styleText(style, text, { stream: process.stdout });

try {
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      once: flag,
      hint: { type: 'string' },
      solution: flag,
      reset: flag,
      status: flag,
      help: flag,
    },
  });
  const [word] = positionals;
  if (values.help) {
    console.log(USAGE);
  } else if (values.status || word === undefined) {
    console.log(list());
    if (!values.status) console.log(`\n${USAGE}`);
  } else {
    const entry = findExercise(word);
    if (values.hint !== undefined) showHint(entry, values.hint);
    else if (values.solution) showSolution(entry);
    else if (values.reset) console.log(startAgain(entry));
    else process.exitCode = await work(entry, values.once);
  }
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exitCode = exitCode;
}

/** A line for each exercise. */
function list(): string {
  const { exercises: solved } = readProgress();
  const lines = exercises().map(({ number, name, question }) => {
    const mark = solved[name] ? paint('green', '✓') : existsSync(programOf(name)) ? '…' : ' ';
    return `${mark} ${number} ${name.padEnd(27)} ${question}`;
  });
  const count = exercises().filter(({ name }) => solved[name]).length;
  return [...lines, '', `${count} of ${lines.length} solved`].join('\n');
}

/**
 * Checks the program of the participant: once, or at each save until Ctrl-C.
 *
 * @returns the exit code
 */
async function work(entry: Entry, once: boolean): Promise<number> {
  const { name, number, folder, question } = entry;
  const file = programOf(name);
  if (!existsSync(file)) startAgain(entry);
  const exercise = await loadExercise(entry);
  const stack = new ExerciseStack(exercise, file, NAME);
  endOnSignal(stack);
  const saves = once ? undefined : new Saves(file);
  console.log(paint('bold', `\n${number} ${name}: ${question}`));
  console.log(`Task:    ${folder}/README.md`);
  console.log(`Program: ${shown(file)}`);
  if (!once) readCommands(entry);
  for (;;) {
    const figures: Record<string, string> = {};
    const passed = await check(stack, figures);
    if (passed) {
      recordExercise(name, { passedAt: new Date().toISOString(), figures });
      writeSummary();
      console.log(paint(['bold', 'green'], `\nSolved. ${exercise.rule}`));
      console.log(`The lesson: npm run lesson -- ${find(exercise.lesson).name}`);
      const next = exercises().find((one) => !readProgress().exercises[one.name]);
      console.log(next ? `Next:       npm run exercise -- ${next.name}` : 'That was the last one.');
    }
    if (!saves) {
      await stack.close();
      return passed ? 0 : 1;
    }
    const keys = process.stdin.isTTY ? ' Type h (hint), s (solution) or q (end) and Enter.' : '';
    console.log(paint('dim', `\nSave the program to check it again.${keys}`));
    await saves.next();
    console.log(paint('dim', `\n${new Date().toLocaleTimeString('en-GB')} saved`));
  }
}

/** Checks the program once, and shows each step. Resolves to whether all steps passed. */
async function check(stack: ExerciseStack, figures: Record<string, string>): Promise<boolean> {
  const hadUrl = stack.url !== undefined;
  try {
    return await stack.check(({ title, figure, fault }) => {
      if (!hadUrl && Object.keys(figures).length === 0) console.log(`Address: ${stack.url}\n`);
      if (fault === undefined) {
        figures[title] = figure ?? '';
        console.log(`  ${paint('green', '✓')} ${title}: ${figure}`);
      } else {
        console.log(`  ${paint('red', '✗')} ${title}\n${paint('red', indented(fault))}`);
      }
    });
  } catch (err) {
    console.log(
      `  ${paint('red', '✗')} The program starts\n${paint('red', indented(failure(err).text))}`,
    );
    return false;
  }
}

/** The text in lines of a width that a projector can show. */
function indented(text: string, width = 90): string {
  const lines: string[] = [];
  for (const part of text.split('\n')) {
    let line = '   ';
    for (const word of part.split(' ')) {
      if (line.length + word.length > width) {
        lines.push(line);
        line = '   ';
      }
      line += ` ${word}`;
    }
    lines.push(line);
  }
  return lines.join('\n');
}

/** Reads `h`, `s` and `q` from the terminal. */
function readCommands(entry: Entry): void {
  if (!process.stdin.isTTY) return;
  let hints = 0;
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'q') process.kill(process.pid, 'SIGINT');
    if (line === 's') showSolution(entry);
    if (line !== 'h') return;
    hints = Math.min(hints + 1, hintsOf(entry).length);
    showHint(entry, String(hints));
  });
}

/** Shows how the solution differs from the program of the participant. */
function showSolution(entry: Entry): void {
  for (const line of solutionDiff(entry)) {
    const style = { '+': 'green', '-': 'red', '@': 'cyan' }[line.charAt(0)] as Style | undefined;
    console.log(style ? paint(style, line) : line);
  }
}

/** The hints in the README of an exercise. */
function hintsOf({ folder }: Entry): string[] {
  const text = readFileSync(join(ROOT, folder, 'README.md'), 'utf8');
  return [...text.matchAll(/<summary>Hint \d<\/summary>\n\n(.+?)\n\n<\/details>/gs)].map(
    ([, hint = '']) => hint,
  );
}

/** @throws {UsageError} */
function showHint(entry: Entry, number: string): void {
  const hints = hintsOf(entry);
  const hint = hints[Number(number) - 1];
  if (!hint) throw new UsageError(`\`--hint\` expects a number from 1 to ${hints.length}.`);
  console.log(`\nHint ${number} of ${hints.length}\n${indented(hint)}`);
}

/** Ends the stack at the first signal. npm sends Ctrl-C a second time; that one is ignored. */
function endOnSignal(stack: ExerciseStack): void {
  let isClosing = false;
  const close = async () => {
    if (isClosing) return;
    isClosing = true;
    await stack.close().catch((err) => console.error(failure(err).text));
    process.exit(130);
  };
  for (const signal of END_SIGNALS) process.on(signal, close);
}
