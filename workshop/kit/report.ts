import type { Figure, Lesson, Prediction } from './lesson.ts';

/** What a run of a lesson has shown. */
export interface Result {
  name: string;
  lesson: Lesson;
  wrong: Record<string, Figure>;
  right: Record<string, Figure>;
  /** Why it could not be run to its end; absent where it was. */
  broken?: string;
}

/** Tells whether all that was observed is what the text claims. */
export function isAsClaimed({ lesson, wrong, right, broken }: Result): boolean {
  if (broken !== undefined) return false;
  const hold = (predicted: Record<string, Prediction>, observed: Record<string, Figure>) =>
    Object.entries(predicted).every(([name, { holds }]) => holds(observed[name] ?? ''));
  return hold(lesson.wrong.predicted, wrong) && hold(lesson.right.predicted, right);
}

/** A result for machines. */
export function forMachines(result: Result) {
  const { name, lesson, wrong, right, broken } = result;
  const { claim } = lesson;
  return { name, claim, wrong, right, ok: isAsClaimed(result), ...(broken && { broken }) };
}

const OK = '✓';
const REFUTED = '✗';

/** A result for people: what was predicted beside what was observed, and what to make of it. */
export function report(result: Result): string {
  const { lesson, wrong, right, broken } = result;
  if (broken !== undefined) return `${REFUTED} It could not be run to its end: ${broken}`;
  const sides = [
    { title: `WRONG  ${lesson.wrong.what}`, rows: rowsOf(lesson.wrong.predicted, wrong) },
    { title: `RIGHT  ${lesson.right.what}`, rows: rowsOf(lesson.right.predicted, right) },
  ];
  const head = ['', 'predicted', 'observed', ''];
  const all = [head, ...sides.flatMap(({ rows }) => rows)];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const line = (row: string[]) =>
    row
      .map((cell, i) => cell.padEnd((widths[i] ?? 0) + 3))
      .join('')
      .trimEnd();
  const verdict = isAsClaimed(result)
    ? `${OK} ${lesson.verdict(wrong, right)}`
    : `${REFUTED} This is not what the text claims: ${lesson.claim}`;
  return [
    line(head),
    ...sides.flatMap(({ title, rows }) => [title, ...rows.map(line)]),
    '',
    verdict,
  ].join('\n');
}

function rowsOf(predicted: Record<string, Prediction>, observed: Record<string, Figure>) {
  return Object.entries(predicted).map(([name, { text, holds }]) => {
    const figure = observed[name] ?? '';
    return [`  ${name}`, text, String(figure), holds(figure) ? OK : REFUTED];
  });
}

/**
 * A report without what differs from run to run: the digits of what was predicted as a limit only,
 * and of the verdict. Two runs of the same lesson agree in the rest.
 */
export function withoutChance(text: string): string {
  const vague = (words: string) => words.replaceAll(/\d+([.,]\d+)*/g, '#');
  return text
    .split('\n')
    .map((line) => {
      const [name = '', predicted = '', observed = '', mark, ...rest] = line.trim().split(/ {3,}/);
      if (mark === undefined || rest.length > 0) return line.startsWith(OK) ? vague(line) : name;
      return [name, predicted, predicted === observed ? observed : vague(observed), mark].join(
        ' | ',
      );
    })
    .join('\n');
}
