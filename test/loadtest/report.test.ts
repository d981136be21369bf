import { describe, expect, it } from 'vitest';
import { bytes, count, duration, percent } from '../../loadtest/lib/format.ts';
import { type Run, report } from '../../loadtest/lib/report.ts';
import type { Summary } from '../../loadtest/lib/summary-data.ts';
import { textSummary } from '../../loadtest/lib/text-summary.ts';

function runOf(metrics: Summary['metrics'], more: Partial<Run> = {}): Run {
  const empty = { name: '', path: '', id: '', groups: [], checks: [] };
  return {
    name: 'continuity',
    title: 'A counter continues',
    at: '2026-11-25T08:30:00.000Z',
    data: {
      root_group: empty,
      options: { summaryTrendStats: ['med', 'p(95)'], summaryTimeUnit: '', noColor: true },
      state: { isStdOutTTY: false, isStdErrTTY: false, testRunDurationMs: 10_000 },
      metrics,
    },
    instances: [],
    ...more,
  };
}

const trend = (med: number, p95: number, thresholds = {}) =>
  ({ type: 'trend', contains: 'time', values: { med, 'p(95)': p95 }, thresholds }) as const;
const counter = (total: number) =>
  ({ type: 'counter', contains: 'default', values: { count: total, rate: total / 10 } }) as const;

/** The cells of the rows of a page, as text. */
const rowsOf = (html: string) =>
  [...html.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) =>
      cell.replaceAll(/<[^>]+>/g, ''),
    ),
  );

describe('the figures of a summary', () => {
  it.each([
    [duration(0.4567), '457µs'],
    [duration(1.234), '1.23ms'],
    [duration(2100), '2.1s'],
    [duration(0.9999), '1ms'],
    [duration(999.9), '1s'],
    [duration(59_999), '1m0s'],
    [duration(63_000), '1m3s'],
    [duration(3_725_000), '1h2m'],
    [count(3), '3'],
    [count(45.678), '45.68'],
    [percent(0.9995), '99.95%'],
    [percent(0.999_999), '99.99%'],
    [percent(1), '100.00%'],
    [count(0.003), '0.003'],
    [bytes(512), '512 B'],
    [bytes(999_999), '1 MB'],
    [bytes(3_400_000), '3.4 MB'],
  ])('should be short: %s', (text, expected) => {
    expect(text).toBe(expected);
  });
});

describe('the report of a load test', () => {
  it('should say which thresholds held, and by which figure', () => {
    const failed = trend(12, 250, { 'p(95)<200': { ok: false }, 'med<100': { ok: true } });
    const html = report(runOf({ http_req_duration: failed }));
    expect(html).toContain('✗ failed: 1 of 2 thresholds<');
    expect(rowsOf(html)).toContainEqual([
      'http_req_duration',
      '✗ crossed',
      '250ms',
      'p(95)&lt;200',
    ]);
    expect(rowsOf(html)).toContainEqual(['http_req_duration', '✓ held', '12ms', 'med&lt;100']);
    const passed = report(
      runOf({ http_req_duration: trend(12, 150, { 'p(95)<200': { ok: true } }) }),
    );
    expect(passed).toContain('✓ passed');
  });

  it('should show what each instance answered', () => {
    const instances = [
      { name: 'app-1', requests: 30 },
      { name: 'app-2', requests: 10 },
    ];
    const rows = rowsOf(report(runOf({}, { instances })));
    expect(rows).toContainEqual(['app-1', '30', '75.00%', '']);
    expect(rows).toContainEqual(['app-2', '10', '25.00%', '']);
  });

  it('should say what has become better or worse since an earlier run', () => {
    const before = runOf({ http_reqs: counter(1000), http_req_duration: trend(10, 100) });
    const after = runOf({ http_reqs: counter(1500), http_req_duration: trend(10.1, 150) });
    const rows = rowsOf(report(after, before));
    expect(rows).toContainEqual(['requests per second', '100', '150', '+50.0% better']);
    expect(rows).toContainEqual(['http_req_duration p(95)', '100ms', '150ms', '+50.0% worse']);
    expect(rows).toContainEqual(['http_req_duration med', '10ms', '10.1ms', '+1.0%']);
    expect(rows).toContainEqual(['failed requests', '–', '–', '–']);
  });

  it('should judge every change for the worse of what has to be right', () => {
    const rate = (share: number) =>
      ({
        type: 'rate',
        contains: 'default',
        values: { rate: share, passes: 0, fails: 0 },
      }) as const;
    const before = runOf({ checks: rate(1), http_req_failed: rate(0) });
    const after = runOf({ checks: rate(0.98), http_req_failed: rate(0.01) });
    const rows = rowsOf(report(after, before));
    expect(rows).toContainEqual(['checks that held', '100.00%', '98.00%', '−2.0% worse']);
    expect(rows).toContainEqual(['failed requests', '0.00%', '1.00%', ' worse']);
  });

  it('should show what is not there as such', () => {
    const run = runOf({ http_req_duration: { ...trend(1, 2), values: { med: 1 } } });
    const html = report({ ...run, instances: [{ name: 'app-1', requests: 0 }] });
    expect(rowsOf(html)).toContainEqual(['http_req_duration', '1ms', '–', '']);
    expect(html).toContain('– not judged');
    expect(html).not.toContain('NaN');
  });

  it('should take names for text, and fetch nothing', () => {
    const hostile = '<img src=x onerror=alert(1)>';
    const html = report(
      runOf(
        { [hostile]: trend(1, 2, { [hostile]: { ok: true } }) },
        {
          name: hostile,
          title: hostile,
          instances: [{ name: hostile, requests: 1 }],
        },
      ),
    );
    expect(html).not.toContain('<img');
    expect(html).toContain('&lt;img');
    expect(report(runOf({}))).not.toMatch(/https?:|src=|url\(|<script|@import/);
  });
});

describe('the text of a summary', () => {
  it('should have the headings, thresholds and checks of k6', () => {
    const run = runOf({
      checks: { type: 'rate', contains: 'default', values: { rate: 0.75, passes: 3, fails: 1 } },
      http_reqs: counter(4),
      http_req_duration: trend(1, 2, { 'p(95)<1': { ok: false } }),
      'http_req_duration{scenario:a}': trend(3, 4),
    });
    run.data.root_group.checks.push({ name: 'ok', path: '::ok', id: '', passes: 3, fails: 1 });
    const text = textSummary(run.data);
    expect(text).toMatch(/█ THRESHOLDS\n\n {4}http_req_duration\n {4}✗ 'p\(95\)<1' p\(95\)=2ms\n/);
    expect(text).toMatch(/checks_succeeded\.+: 75\.00% 3 out of 4\n/);
    expect(text).toMatch(/✗ ok\n {6}↳ {2}75\.00% — ✓ 3 \/ ✗ 1\n/);
    expect(text).toMatch(/ {4}HTTP\n {4}http_req_duration\.+: med=1ms p\(95\)=2ms\n/);
    expect(text).toMatch(/ {6}\{ scenario:a }\.+: med=3ms p\(95\)=4ms\n/);
    expect(text).toMatch(/http_reqs\.+: 4 0\.4\/s\n/);
  });
});
