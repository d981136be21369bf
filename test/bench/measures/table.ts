import { type Figure, isMet } from './figure.ts';

const HEAD = ['figure', 'median', 'range', 'target', 'met', 'note'];

/** Figures as a table, one row for each. */
export function table(figures: Figure[]): string {
  const rows = [HEAD, ...figures.map(row)];
  const widths = HEAD.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(' | ')
        .trimEnd(),
    )
    .join('\n');
}

function row(figure: Figure): string[] {
  const { name, value, unit, target, note = '', samples } = figure;
  const range = samples.length > 1 ? [Math.min(...samples), Math.max(...samples)].map(show) : [];
  const met = isMet(figure);
  return [
    name,
    `${show(value)} ${unit}`,
    range.join(' to '),
    [
      target?.atMost === undefined ? '' : `≤ ${show(target.atMost)}`,
      target?.atLeast === undefined ? '' : `≥ ${show(target.atLeast)}`,
    ].join(''),
    met === undefined ? '' : met ? 'yes' : 'NO',
    note,
  ];
}

/** Three digits, or all of a larger whole number. */
function show(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
