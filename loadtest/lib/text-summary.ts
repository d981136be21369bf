import { percent, statOf, valueOfMetric } from './format.ts';
import type { Group, Metric, Summary } from './summary-data.ts';

/** The column at which values begin. */
const WIDTH = 38;

/** Metrics under the headings that k6 gives them; whatever is not listed is the script's own. */
const HEADINGS: Record<string, RegExp> = {
  HTTP: /^http_req(s|_duration|_failed)\b/,
  EXECUTION: /^(dropped_iterations|iteration_duration|iterations|vus|vus_max)\b/,
  NETWORK: /^data_(received|sent)\b/,
};
/** Parts of a request, and checks, which have a place of their own: not listed. */
const UNLISTED =
  /^(http_req_(blocked|connecting|tls_handshaking|sending|waiting|receiving)|checks|group_duration)\b/;

/**
 * The text that k6 prints at the end of a run, which `handleSummary` replaces: thresholds, checks
 * and metrics.
 *
 * @see https://grafana.com/docs/k6/latest/results-output/end-of-test/
 */
export function textSummary(data: Summary): string {
  const lines = ['', ...thresholdLines(data), '  █ TOTAL RESULTS', ''];
  lines.push(...checkLines(data));
  const names = Object.keys(data.metrics)
    .filter((name) => !UNLISTED.test(name))
    .sort();
  const headingOf = (name: string) =>
    Object.keys(HEADINGS).find((heading) => HEADINGS[heading]?.test(name)) ?? 'CUSTOM';
  for (const heading of ['CUSTOM', ...Object.keys(HEADINGS)]) {
    const own = names.filter((name) => headingOf(name) === heading);
    if (own.length === 0) continue;
    lines.push(`    ${heading}`, ...own.map((name) => metricLine(name, data)), '');
  }
  return `${lines.join('\n')}\n`;
}

/** k6 passes metrics and thresholds in no particular order. */
function thresholdLines({ metrics }: Summary): string[] {
  const lines = sorted(metrics).flatMap(([name, metric]) => {
    const thresholds = sorted(metric.thresholds ?? {});
    if (thresholds.length === 0) return [];
    const judged = thresholds.map(([source, { ok }]) => {
      if (!isMeasured(metric)) return `    ✗ '${source}' no samples`;
      return `    ${ok ? '✓' : '✗'} '${source}' ${figureOf(source, metric)}`;
    });
    return [`    ${name}`, ...judged, ''];
  });
  return lines.length === 0 ? [] : ['  █ THRESHOLDS', '', ...lines];
}

/** False for a rate or trend without samples, on which k6 lets a threshold hold. */
export function isMeasured({ type, values }: Metric): boolean {
  if (type === 'rate') return (values.passes ?? 0) + (values.fails ?? 0) > 0;
  return type !== 'trend' || (values.max ?? 0) > 0 || (values.min ?? 0) > 0;
}

function sorted<T>(object: Record<string, T>): [string, T][] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The figure that a threshold judges, such as `p(95)=12.3ms`. */
function figureOf(source: string, metric: Metric): string {
  const stat = statOf(source);
  return `${stat}=${valueOfMetric(stat, metric)}`;
}

function checkLines({ metrics, root_group }: Summary): string[] {
  const { passes = 0, fails = 0, rate = 0 } = metrics.checks?.values ?? {};
  const total = passes + fails;
  if (total === 0) return [];
  return [
    `    ${label('checks_total')}: ${total}`,
    `    ${label('checks_succeeded')}: ${percent(rate)} ${passes} out of ${total}`,
    `    ${label('checks_failed')}: ${percent(1 - rate)} ${fails} out of ${total}`,
    '',
    ...groupLines(root_group),
    '',
  ];
}

function groupLines(group: Group): string[] {
  const own = group.checks.flatMap(({ name, passes, fails }) => {
    const where = [...group.path.split('::').filter(Boolean), name].join(' › ');
    if (fails === 0) return [`    ✓ ${where}`];
    const share = percent(passes / (passes + fails));
    return [`    ✗ ${where}`, `      ↳  ${share} — ✓ ${passes} / ✗ ${fails}`];
  });
  return [...own, ...group.groups.flatMap(groupLines)];
}

function metricLine(name: string, { metrics, options }: Summary): string {
  const metric = metrics[name] as Metric;
  const [base, tags] = name.split('{');
  const title =
    tags === undefined
      ? `    ${label(base ?? '')}`
      : `      ${label(`{ ${tags.slice(0, -1)} }`, 2)}`;
  const { values } = metric;
  const value = (stat: string) => valueOfMetric(stat, metric);
  switch (metric.type) {
    case 'counter':
      return `${title}: ${value('count')} ${value('rate')}`;
    case 'gauge':
      return `${title}: ${value('value')} min=${value('min')} max=${value('max')}`;
    case 'rate': {
      const { passes = 0, fails = 0 } = values;
      return `${title}: ${value('rate')} ${passes} out of ${passes + fails}`;
    }
    case 'trend':
      return `${title}: ${options.summaryTrendStats.map((stat) => `${stat}=${value(stat)}`).join(' ')}`;
  }
}

function label(name: string, indent = 0): string {
  return name.padEnd(WIDTH - indent, '.');
}
