import type { Result } from './stage.ts';

const HEAD = ['scenario', 'requests', 'failed', 'lost', 'doubled', 'slowest ms', 'verdict'];

/** The results as a table, one row for each scenario. */
export function table(results: Result[]): string {
  const rows = results.map((result) => [
    result.name,
    ...[result.requests, result.failed, result.lost, result.doubled, result.slowestMs].map(String),
    verdict(result),
    [...result.breaches.map((breach) => `BREACH: ${breach}`), ...result.notes].join('; '),
  ]);
  const all = [[...HEAD, 'what was measured'], ...rows];
  const widths = HEAD.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | '))
    .join('\n');
}

/** `ok`, or `BREACH`. */
export function verdict({ breaches }: Result): string {
  return breaches.length === 0 ? 'ok' : 'BREACH';
}
