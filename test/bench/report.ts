import { type Contestant, contestants } from './contestants.ts';
import type { CpuUse, Summary } from './figures.ts';

const HEAD = [
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
/** Between these lines a document shows the last run. */
const SECTION = /(?<=<!-- bench -->\n).*?(?=<!-- \/bench -->)/s;

/** The summaries as a table, one row for each contestant. */
export function table(summaries: Summary[]): string {
  const all = [HEAD, ...summaries.map(row)];
  const widths = HEAD.slice(0, -1).map((_, column) =>
    Math.max(...all.map((cells) => cells[column]?.length ?? 0)),
  );
  return all
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | '))
    .join('\n');
}

/** Tells whether a document has a place for the last run. */
export function hasSection(document: string): boolean {
  return SECTION.test(document);
}

/** A document in which the last run is shown by this one. */
export function withLastRun(document: string, summaries: Summary[], machine: string): string {
  const all = [HEAD, HEAD.map(() => '---'), ...summaries.map(row)];
  const lines = all.map((cells) => `| ${cells.join(' | ')} |`);
  return document.replace(SECTION, () => `${machine}\n\n${lines.join('\n')}\n`);
}

function row(summary: Summary): string[] {
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
