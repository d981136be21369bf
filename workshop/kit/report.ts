import { stripVTControlCharacters, styleText } from 'node:util';
import type { Figure, Lesson, Prediction, WayName } from './lesson.ts';
import type { Guess } from './progress.ts';
import type { Answer } from './questions.ts';

/** The observations of one run. */
export interface Result {
  name: string;
  lesson: Lesson;
  /** The guesses of the user, if questions were asked. */
  answers?: Answer[];
  wrong: Record<string, Figure>;
  right: Record<string, Figure>;
  /** Why the run did not finish. */
  error?: string;
}

type Style = Parameters<typeof styleText>[0];
/** The stream for a report. Only a terminal gets colors. */
type Output = Pick<NodeJS.WriteStream, 'isTTY'> & NodeJS.WritableStream;

const OK = '✓';
const REFUTED = '✗';
const WAYS = ['wrong', 'right'] as const;

/** One figure of one way, after the run. */
export interface Row {
  name: string;
  guess: string;
  claimed: string;
  observed: string;
  holds: boolean;
  meaning: Prediction['meaning'];
}

/** The figures of a way, in the order of the lesson. */
export function rowsOf({ lesson, answers = [], ...observed }: Result, way: WayName): Row[] {
  return Object.entries(lesson[way].predicted).map(([name, { text, holds, meaning }]) => {
    const figure = observed[way][name] ?? '';
    const answer = answers.find((one) => one.way === way && one.figure === name);
    return {
      name,
      guess: String(answer?.guess ?? ''),
      claimed: text,
      observed: String(figure),
      holds: holds(figure),
      meaning,
    };
  });
}

/** Whether all observations match the claim. */
export function matchesClaim(result: Result): boolean {
  const rows = WAYS.flatMap((way) => rowsOf(result, way));
  return result.error === undefined && rows.every(({ holds }) => holds);
}

/** The guesses of the user beside the observations. Empty if the lesson did not finish. */
export function guessesOf({ lesson, answers = [], error, ...observed }: Result): Guess[] {
  if (error !== undefined) return [];
  return answers.map(({ way, figure, question, guess }) => ({
    question,
    guess,
    observed: observed[way][figure] ?? '',
    claimed: lesson[way].predicted[figure]?.text ?? '',
  }));
}

/** A result as `--json` prints it. */
export function toJson(result: Result) {
  const { name, lesson, wrong, right, error } = result;
  const { claim } = lesson;
  const guesses = guessesOf(result);
  return {
    ...{ name, claim, wrong, right, ok: matchesClaim(result) },
    ...(guesses.length > 0 && { guesses }),
    ...(error && { error }),
  };
}

/** The observations in one sentence. */
export function verdictOf(result: Result): string {
  const { lesson, wrong, right, error } = result;
  if (error !== undefined) return `The lesson did not finish: ${error}`;
  if (matchesClaim(result)) return lesson.verdict(wrong, right);
  return `The observations contradict the claim: ${lesson.claim}`;
}

/**
 * A table of predicted and observed figures, with a verdict.
 *
 * @param output gets colors and the word "refuted" if it is a terminal
 */
export function report(result: Result, output?: Output): string {
  const { lesson, answers = [], error } = result;
  const isTerminal = output?.isTTY === true;
  const paint = (style: Style, text: string) =>
    isTerminal ? styleText(style, text, { stream: output }) : text;
  const refuted = paint(['bold', 'yellow'], isTerminal ? `${REFUTED} refuted` : REFUTED);
  if (error !== undefined) return `${paint('red', REFUTED)} ${verdictOf(result)}`;

  const cellsOf = (row: Row) => {
    const style = styleOf(row);
    const observed = style ? paint(style, row.observed) : row.observed;
    const mark = row.holds ? OK : refuted;
    return answers.length > 0
      ? [`  ${row.name}`, row.guess, observed, row.claimed, mark]
      : [`  ${row.name}`, row.claimed, observed, mark];
  };
  const head =
    answers.length > 0
      ? ['', 'your guess', 'observed', 'claimed', '']
      : ['', 'predicted', 'observed', ''];
  const [wrongRows = [], rightRows = []] = WAYS.map((way) => rowsOf(result, way).map(cellsOf));
  const all = [head, ...wrongRows, ...rightRows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => lengthOf(row[i]))) + 3);
  const line = (row: string[]) =>
    row
      .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - lengthOf(cell)))
      .join('')
      .trimEnd();
  return [
    line(head),
    `WRONG  ${lesson.wrong.summary}`,
    ...wrongRows.map(line),
    `RIGHT  ${lesson.right.summary}`,
    ...rightRows.map(line),
    '',
    ...guessLines(result),
    `${matchesClaim(result) ? OK : paint(['bold', 'yellow'], REFUTED)} ${verdictOf(result)}`,
  ].join('\n');
}

/** Red for damage, also if it is as claimed. A figure that should show damage and does not has no color. */
export function styleOf({ holds, meaning }: Row): Style | undefined {
  if (meaning === 'neutral') return undefined;
  if (meaning === 'harm') return holds ? 'red' : undefined;
  return holds ? 'green' : 'red';
}

/** The length on the screen. */
function lengthOf(cell = ''): number {
  return stripVTControlCharacters(cell).length;
}

/** How far off each guess was. */
function guessLines(result: Result): string[] {
  const lines = (result.answers ?? []).map(({ way, figure, guess }) => {
    const observed = result[way][figure] ?? '';
    const subject = `${way.toUpperCase()}  ${figure}: you guessed ${guess}`;
    if (String(guess) === String(observed)) return `${subject}, and that is right.`;
    const difference = Number(observed) - Number(guess);
    if (Number.isNaN(difference)) return `${subject}; it was ${observed}.`;
    const more = `${Math.abs(difference)} ${difference > 0 ? 'more' : 'less'}`;
    return `${subject}; it was ${observed}, ${more}.`;
  });
  return lines.length > 0 ? [...lines, ''] : [];
}
