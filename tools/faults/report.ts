import type { Result } from './stage.ts';

const HEAD = ['scenario', 'requests', 'failed', 'lost', 'doubled', 'slowest ms', 'verdict'];
const MEASURED = 'what was measured';
/** Between these lines a document shows the last run. */
const SECTION = /(?<=<!-- faults -->\n).*?(?=<!-- \/faults -->)/s;

/** The results as a table, one row for each scenario. */
export function table(results: Result[]): string {
  const all = [[...HEAD, MEASURED], ...results.map(row)];
  const widths = HEAD.map((_, column) =>
    Math.max(...all.map((cells) => cells[column]?.length ?? 0)),
  );
  return all
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | '))
    .join('\n');
}

/** A document in which the last run is shown by this one. */
export function withLastRun(document: string, results: Result[], machine: string): string {
  const all = [[...HEAD, MEASURED], [...HEAD, ''].map(() => '---'), ...results.map(row)];
  const lines = all.map((cells) => `| ${cells.join(' | ')} |`);
  return document.replace(SECTION, () => `${machine}\n\n${lines.join('\n')}\n`);
}

/** `ok`, or `BREACH`. */
export function verdict({ breaches }: Result): string {
  return breaches.length === 0 ? 'ok' : 'BREACH';
}

function row(result: Result): string[] {
  const { name, requests, failed, lost, doubled, slowestMs, breaches, notes } = result;
  return [
    name,
    ...[requests, failed, lost, doubled, slowestMs].map(String),
    verdict(result),
    [...breaches.map((breach) => `BREACH: ${breach}`), ...notes].join('; '),
  ];
}
