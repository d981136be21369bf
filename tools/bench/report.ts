import { UsageError } from '../lib/errors.ts';
import { type Contestant, contestants } from './contestants.ts';
import type { CpuUse, Summary } from './figures.ts';
import { type Figure, isMet } from './measures/figure.ts';

/** A table, and the name of the section of a document that shows it. */
export interface Table {
  section: 'contest' | 'figures';
  head: string[];
  rows: string[][];
}

/** What was measured of the contestants, one row for each. */
export function summaryTable(summaries: Summary[]): Table {
  const head = [
    'contestant',
    'instances',
    'requests/s',
    'ratio',
    'range',
    'p50 ms',
    'p99 ms',
    'CPU µs: instances',
    'nginx',
    'Redis',
    'lost updates',
    'what it is',
  ];
  return { section: 'contest', head, rows: summaries.map(summaryRow) };
}

function summaryRow(summary: Summary): string[] {
  const { name, requestsPerSecond, ratio, p50Ms, p99Ms, cpuUsPerRequest } = summary;
  const contestant = contestants.find((candidate) => candidate.name === name) as Contestant;
  const cpu = (part: keyof CpuUse) => cpuUsPerRequest?.[part].toFixed(0) ?? '–';
  return [
    name,
    String(contestant.instances),
    requestsPerSecond.toFixed(0),
    ratio.median.toFixed(2),
    `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`,
    p50Ms.toFixed(1),
    p99Ms.toFixed(1),
    ...[cpu('instances'), cpu('nginx'), cpu('redis')],
    lost(summary),
    contestant.what,
  ];
}

function lost({ lost, requests }: Summary): string {
  if (lost === undefined) return '–';
  return lost === 0 ? '0' : `${lost} (${((100 * lost) / requests).toFixed(1)} %)`;
}

/** What else was measured, one row for each figure. */
export function figureTable(figures: Figure[]): Table {
  const head = ['figure', 'median', 'range', 'target', 'met', 'note'];
  return { section: 'figures', head, rows: figures.map(figureRow) };
}

function figureRow(figure: Figure): string[] {
  const { name, value, unit, target, note = '', samples } = figure;
  const range = samples.length > 1 ? [Math.min(...samples), Math.max(...samples)].map(show) : [];
  const { atMost, atLeast } = target ?? {};
  const wanted = atMost !== undefined ? `≤ ${show(atMost)}` : atLeast && `≥ ${show(atLeast)}`;
  const met = isMet(figure);
  return [
    name,
    `${show(value)} ${unit}`,
    range.join('–'),
    wanted || '',
    met === undefined ? '' : met ? 'yes' : 'no',
    note,
  ];
}

/** Three digits, or all of a larger whole number. */
function show(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** A table for the terminal. */
export function showAll({ head, rows }: Table): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: string[]) => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ');
  return all.map((cells) => line(cells).trimEnd()).join('\n');
}

/** Between these lines a document shows the last run. */
const sectionOf = (name: string) =>
  new RegExp(`(?<=<!-- ${name} -->\\n).*?(?=<!-- /${name} -->)`, 's');

/**
 * Makes sure that a document has a place for each table.
 *
 * @throws {UsageError} where it has not
 */
export function checkSections(file: string, document: string): void {
  for (const name of ['contest', 'figures']) {
    if (sectionOf(name).test(document)) continue;
    throw new UsageError(`--docs ${file}: it has no lines <!-- ${name} --> and <!-- /${name} -->`);
  }
}

/** A document in which the last run is shown by this one, as far as it went. */
export function withLastRun(document: string, tables: Table[], machine: string): string {
  return tables.reduce((text, { section, head, rows }) => {
    const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
    return text.replace(sectionOf(section), () => `${machine}\n\n${lines.join('\n')}\n`);
  }, document);
}
