import type { Table } from '../lib/report.ts';
import { type Figure, isMet } from './measures/figure.ts';
import type { CpuUse, Summary } from './summary.ts';
import { variants } from './variants.ts';

const SUMMARY_HEAD = [
  ...['variant', 'instances', 'requests/s', 'ratio', 'range', 'to minimal nginx'],
  ...['p50 ms', 'p99 ms'],
  ...['CPU µs: instances', 'nginx', 'Redis', 'lost updates', 'description'],
];

/** One row for each variant. */
export function summaryTable(summaries: Summary[]): Table {
  return { head: SUMMARY_HEAD, rows: summaries.map(summaryRow) };
}

function summaryRow(summary: Summary): string[] {
  const { name, requests, requestsPerSecond, ratio, secondRatio, lost } = summary;
  const { p50Ms, p99Ms, cpuUsPerRequest } = summary;
  const variant = variants.find((candidate) => candidate.name === name);
  const cpu = (kind: keyof CpuUse) => cpuUsPerRequest?.[kind].toFixed(0) ?? '–';
  const percent = lost ? ` (${((100 * lost) / requests).toFixed(1)} %)` : '';
  return [
    name,
    String(variant?.instances),
    requestsPerSecond.toFixed(0),
    ratio.median.toFixed(2),
    `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`,
    Number.isNaN(secondRatio) ? '–' : secondRatio.toFixed(2),
    p50Ms.toFixed(1),
    p99Ms.toFixed(1),
    ...[cpu('instances'), cpu('nginx'), cpu('redis')],
    lost === undefined ? '–' : `${lost}${percent}`,
    variant?.what ?? '',
  ];
}

/** One row for each figure. */
export function figureTable(figures: Figure[]): Table {
  const head = ['figure', 'median', 'range', 'target', 'met', 'note'];
  return { head, rows: figures.map(figureRow) };
}

function figureRow(figure: Figure): string[] {
  const { name, value, unit, target, note = '', samples } = figure;
  const range = samples.length > 1 ? [Math.min(...samples), Math.max(...samples)].map(show) : [];
  const { atMost, atLeast } = target ?? {};
  const least = atLeast === undefined ? '' : `≥ ${show(atLeast)}`;
  const most = atMost === undefined ? '' : `≤ ${show(atMost)}`;
  const wanted = [least, most].filter(Boolean).join(', ');
  const met = { undefined: '', true: 'yes', false: 'no' }[`${isMet(figure)}`];
  return [name, `${show(value)} ${unit}`, range.join('–'), wanted, met, note];
}

/** Three digits, or all digits of a larger whole number. */
function show(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
