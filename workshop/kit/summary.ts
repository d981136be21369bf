import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalog, exercises } from './catalog.ts';
import { readProgress, workshopFolder } from './progress.ts';

/** Writes README.md into the folder of the participant: what to take home. */
export function writeSummary(): void {
  writeFileSync(join(workshopFolder(), 'README.md'), summary());
}

/** The solved exercises and the predictions, with their figures. */
function summary(): string {
  const { exercises: solved, predictions } = readProgress();
  const solutions = exercises().flatMap(({ name, number, question }) => {
    const data = solved[name];
    if (!data) return [];
    const figures = Object.entries(data.figures).map(([title, figure]) => `- ${title}: ${figure}`);
    const program = existsSync(join(workshopFolder(), `${name}.ts`))
      ? `[${name}.ts](${name}.ts)`
      : name;
    const when = data.passedAt.slice(0, 10);
    return [`### ${number} · ${program}`, '', `${question} Solved on ${when}.`, '', ...figures, ''];
  });
  const guesses = catalog().flatMap(({ name }) =>
    (predictions[name]?.guesses ?? []).map(
      ({ question, guess, observed }) => `| ${name} | ${question} | ${guess} | ${observed} |`,
    ),
  );
  const table = ['| lesson | question | my guess | observed |', '| --- | --- | --- | --- |'];
  return [
    '# More than one Express: my results',
    '',
    ...(solutions.length > 0 ? ['## My solutions', '', ...solutions] : []),
    ...(guesses.length > 0 ? ['## My predictions', '', ...table, ...guesses, ''] : []),
  ].join('\n');
}
