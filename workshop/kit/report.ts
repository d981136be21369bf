import type { Figure, Lesson, Prediction } from './lesson.ts';

/** The observations of one run. */
export interface Result {
  name: string;
  lesson: Lesson;
  wrong: Record<string, Figure>;
  right: Record<string, Figure>;
  /** Why the run did not finish. */
  error?: string;
}

const OK = '✓';
const REFUTED = '✗';

type Row = [name: string, predicted: string, observed: string, mark: string];

function rowsOf(predicted: Record<string, Prediction>, observed: Record<string, Figure>): Row[] {
  return Object.entries(predicted).map(([name, { text, holds }]) => {
    const figure = observed[name] ?? '';
    return [`  ${name}`, text, String(figure), holds(figure) ? OK : REFUTED];
  });
}

/** Whether all observations match the claim. */
export function matchesClaim({ lesson, wrong, right, error }: Result): boolean {
  const rows = [...rowsOf(lesson.wrong.predicted, wrong), ...rowsOf(lesson.right.predicted, right)];
  return error === undefined && rows.every(([, , , mark]) => mark === OK);
}

/** A result as `--json` prints it. */
export function toJson(result: Result) {
  const { name, lesson, wrong, right, error } = result;
  const { claim } = lesson;
  return { name, claim, wrong, right, ok: matchesClaim(result), ...(error && { error }) };
}

/** A table of predicted and observed figures, with a verdict. */
export function report(result: Result): string {
  const { lesson, wrong, right, error } = result;
  if (error !== undefined) return `${REFUTED} The lesson did not finish: ${error}`;
  const head: Row = ['', 'predicted', 'observed', ''];
  const wrongRows = rowsOf(lesson.wrong.predicted, wrong);
  const rightRows = rowsOf(lesson.right.predicted, right);
  const all = [head, ...wrongRows, ...rightRows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)) + 3);
  const line = (row: Row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('')
      .trimEnd();
  return [
    line(head),
    `WRONG  ${lesson.wrong.summary}`,
    ...wrongRows.map(line),
    `RIGHT  ${lesson.right.summary}`,
    ...rightRows.map(line),
    '',
    matchesClaim(result)
      ? `${OK} ${lesson.verdict(wrong, right)}`
      : `${REFUTED} The observations contradict the claim: ${lesson.claim}`,
  ].join('\n');
}
