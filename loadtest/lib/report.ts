import { count, duration, percent, statOf, valueOfMetric } from './format.ts';
import type { Check, Group, Metric, Summary } from './summary-data.ts';

/** One run of a load test, as its JSON file has it. */
export interface Run {
  name: string;
  /** What it proves, in one line. */
  title: string;
  /** When it ended, by ISO 8601. */
  at: string;
  data: Summary;
  /** Largest first. */
  instances: { name: string; requests: number }[];
}

/** Times that are of interest only when others are too long, or that hold the pauses of a visitor. */
const OTHER_TIMES =
  /^(http_req_(blocked|connecting|tls_handshaking|sending|waiting|receiving)|group_duration|iteration_duration)\b/;

/** Of what is measured, a change by less than that part is nobody's merit. */
const NOISE = 0.05;

const STYLE = `
  :root { color-scheme: light dark; --line: #8884; --good: #0a7a33; --bad: #c4162a; --bar: #4a7fd4; }
  @media (prefers-color-scheme: dark) { :root { --good: #4cc27a; --bad: #ff7b86; --bar: #7aa7ee; } }
  * { box-sizing: border-box; }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem; }
  h1 { margin: 0; font-size: 1.6rem; }
  h2 { margin: 2rem 0 .5rem; font-size: 1.2rem; }
  .verdict { display: inline-block; border: 2px solid; border-radius: .5rem; padding: .1rem .8rem; font-size: 1.4rem; font-weight: 700; }
  .good { color: var(--good); }
  .bad { color: var(--bad); }
  .key { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .75rem; margin: 1rem 0; padding: 0; }
  .key div { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem; }
  .key dt { font-size: .85rem; }
  .key dd { margin: 0; font-size: 1.4rem; font-weight: 600; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: right; white-space: nowrap; }
  th:first-child, td.text { text-align: left; overflow-wrap: anywhere; white-space: normal; min-width: 9rem; }
  .bar { display: block; height: .8rem; min-width: 1px; border-radius: .2rem; background: var(--bar); }
  .bars td:last-child { width: 50%; }
  @media (max-width: 30rem) {
    body { padding: .5rem; }
    table { font-size: .8rem; }
    th, td { padding: .3rem .3rem; }
    th:first-child { min-width: 6rem; }
  }
`;

/**
 * One page about a run, which opens without a network: results against thresholds, percentiles of
 * the latency, requests by instance, and what has changed since an earlier run.
 */
export function report(run: Run, before?: Run): string {
  const judged = thresholdsOf(run.data);
  const failed = judged.filter(({ ok }) => !ok).length;
  const [symbol, word, kind] =
    judged.length === 0
      ? ['–', 'not judged: it has no thresholds', '']
      : failed === 0
        ? ['✓', 'passed', 'good']
        : ['✗', `failed: ${failed} of ${judged.length} thresholds`, 'bad'];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${symbol} ${escaped(run.name)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(run.name)}</h1>
<p>${escaped(run.title)}. ${escaped(run.at.slice(0, 16).replace('T', ' '))} UTC, ${duration(run.data.state.testRunDurationMs)}.</p>
<p class="verdict ${kind}">${symbol} ${word}</p>
${keyFigures(run)}
${thresholds(run.data)}
${before ? beforeAndAfter(run, before) : ''}
${instances(run)}
${latencies(run.data)}
${checks(run.data.root_group)}
</main>
</body>
</html>
`;
}

/** A figure that a run can be summed up by; of some more is better, of others less. */
interface Figure {
  name: string;
  better: 'more' | 'less' | 'neither';
  /** Times and rates of requests: they differ a little from run to run. */
  isMeasured: boolean;
  value: number | undefined;
  text: string;
}

function figure(
  name: string,
  better: Figure['better'],
  value: number | undefined,
  format: (n: number) => string,
): Figure {
  const isMeasured = format === duration || name === 'requests per second';
  return { name, better, isMeasured, value, text: value === undefined ? '–' : format(value) };
}

function keyFiguresOf({ data }: Run): Figure[] {
  const of = (metric: string, value: string) => data.metrics[metric]?.values[value];
  return [
    figure('requests', 'neither', of('http_reqs', 'count'), count),
    figure('requests per second', 'more', of('http_reqs', 'rate'), count),
    figure('failed requests', 'less', of('http_req_failed', 'rate'), percent),
    figure('checks that held', 'more', of('checks', 'rate'), percent),
    figure('iterations', 'neither', of('iterations', 'count'), count),
    figure('dropped iterations', 'less', of('dropped_iterations', 'count') ?? 0, count),
    figure('most VUs', 'neither', of('vus', 'max'), count),
  ];
}

function keyFigures(run: Run): string {
  const entries = keyFiguresOf(run).map(
    ({ name, text }) => `<div><dt>${name}</dt><dd>${text}</dd></div>`,
  );
  return `<dl class="key">${entries.join('')}</dl>`;
}

function beforeAndAfter(run: Run, before: Run): string {
  const timesOf = ({ data }: Run) =>
    times(data).flatMap(([name, { values }]) =>
      ['med', 'p(95)'].map((stat) => figure(`${name} ${stat}`, 'less', values[stat], duration)),
    );
  const earlier = new Map(
    [...keyFiguresOf(before), ...timesOf(before)].map((one) => [one.name, one]),
  );
  const rows = [...keyFiguresOf(run), ...timesOf(run)].map((now) => {
    const then = earlier.get(now.name);
    return `<tr><th scope="row">${escaped(now.name)}</th><td>${then?.text ?? '–'}</td><td>${now.text}</td>${change(now, then)}</tr>`;
  });
  return `<h2>Before and after</h2>
<p>Before: ${escaped(before.name)}, ${escaped(before.at.slice(0, 16).replace('T', ' '))} UTC.</p>
${table(['', 'before', 'after', 'change'], rows)}`;
}

function change({ value, better, isMeasured }: Figure, then: Figure | undefined): string {
  if (value === undefined || then?.value === undefined) return '<td>–</td>';
  if (value === then.value) return '<td>same</td>';
  const part = value / then.value - 1;
  const isMore = value > then.value;
  const text = then.value === 0 ? '' : `${isMore ? '+' : '−'}${Math.abs(100 * part).toFixed(1)}%`;
  if (better === 'neither' || (isMeasured && Math.abs(part) < NOISE)) return `<td>${text}</td>`;
  const isBetter = isMore === (better === 'more');
  return `<td class="${isBetter ? 'good' : 'bad'}">${text} ${isBetter ? 'better' : 'worse'}</td>`;
}

function thresholdsOf({ metrics }: Summary) {
  return Object.entries(metrics).flatMap(([name, metric]) =>
    Object.entries(metric.thresholds ?? {}).map(([source, { ok }]) => ({
      name,
      metric,
      source,
      ok,
    })),
  );
}

function thresholds(data: Summary): string {
  const rows = thresholdsOf(data).map(({ name, metric, source, ok }) => {
    const result = ok ? '<td class="good">✓ held</td>' : '<td class="bad">✗ crossed</td>';
    return `<tr><th scope="row">${escaped(name)}</th>${result}<td>${valueOfMetric(statOf(source), metric)}</td><td>${escaped(source)}</td></tr>`;
  });
  const heads = ['metric', 'verdict', 'result', 'threshold'];
  return `<h2>Results against thresholds</h2>${table(heads, rows)}`;
}

function instances({ instances: list }: Run): string {
  if (list.length === 0) return '';
  const total = list.reduce((sum, { requests }) => sum + requests, 0);
  const most = Math.max(...list.map(({ requests }) => requests));
  const rows = list.map(
    ({ name, requests }) =>
      `<tr><th scope="row">${escaped(name)}</th><td>${requests}</td><td>${percent(total > 0 ? requests / total : 0)}</td><td>${bar(most > 0 ? requests / most : 0)}</td></tr>`,
  );
  const heads = ['instance', 'requests', 'share', ''];
  return `<h2>Requests by instance</h2>${table(heads, rows, 'bars')}`;
}

/** The metrics that are times, those of whole requests first. */
function times({ metrics }: Summary): [string, Metric][] {
  const rank = (name: string) => Number(!name.startsWith('http_req_duration'));
  return Object.entries(metrics)
    .filter(
      ([name, { type, contains }]) =>
        type === 'trend' && contains === 'time' && !OTHER_TIMES.test(name),
    )
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function latencies(data: Summary): string {
  const others = Object.entries(data.metrics).filter(([name]) => OTHER_TIMES.test(name));
  return `<h2>Latency</h2>${latencyTable(times(data), data)}
<details><summary>Parts of a request, and iterations with their pauses</summary>${latencyTable(others, data)}</details>`;
}

function latencyTable(metrics: [string, Metric][], { options }: Summary): string {
  const stats = options.summaryTrendStats;
  const longest = Math.max(...metrics.map(([, { values }]) => values['p(95)'] ?? 0));
  const rows = metrics.map(([name, metric]) => {
    const cells = stats.map((stat) => `<td>${valueOfMetric(stat, metric)}</td>`);
    const p95 = longest > 0 ? bar((metric.values['p(95)'] ?? 0) / longest) : '';
    return `<tr><th scope="row">${escaped(name)}</th>${cells.join('')}<td>${p95}</td></tr>`;
  });
  return table(['metric', ...stats, 'p(95), to scale'], rows);
}

function checks(root: Group): string {
  const rows = checksOf(root).map(({ where, passes, fails }) => {
    const state = fails === 0 ? '<td class="good">✓</td>' : '<td class="bad">✗</td>';
    return `<tr><th scope="row">${escaped(where)}</th><td>${passes}</td><td>${fails}</td>${state}</tr>`;
  });
  if (rows.length === 0) return '';
  return `<h2>Checks</h2>${table(['check', 'held', 'failed', ''], rows)}`;
}

function checksOf(group: Group): (Check & { where: string })[] {
  const own = group.checks.map((check) => ({
    ...check,
    where: check.path.split('::').filter(Boolean).join(' › '),
  }));
  return [...own, ...group.groups.flatMap(checksOf)];
}

/** @param part of the whole width, from 0 to 1 */
function bar(part: number): string {
  return `<span class="bar" style="width:${(100 * part).toFixed(1)}%"></span>`;
}

function table(heads: string[], rows: string[], kind = ''): string {
  const cells = heads.map((head) => (head ? `<th scope="col">${escaped(head)}</th>` : '<td></td>'));
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(heads.join(' '))}"><table class="${kind}"><thead><tr>${cells.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

/** For names come from scripts and from servers. */
function escaped(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? '');
}
