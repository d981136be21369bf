import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytes, count, duration, percent } from '../../loadtest/lib/format.ts';
import type { Metric, Summary } from '../../loadtest/lib/summary-data.ts';
import { textSummary } from '../../loadtest/lib/text-summary.ts';
import { ROOT } from '../../tools/lib/root.mjs';

const PLAN = { scenarios: { visitors: { executor: 'constant-vus', duration: '10s' } } };

function dataOf(metrics: Summary['metrics'], seconds = 10): Summary {
  return {
    root_group: { name: '', path: '', id: '', groups: [], checks: [] },
    options: { summaryTrendStats: ['med', 'p(95)'], summaryTimeUnit: '', noColor: true },
    state: { isStdOutTTY: false, isStdErrTTY: false, testRunDurationMs: 1000 * seconds },
    metrics,
  };
}

const counter = (total: number, thresholds: Metric['thresholds'] = {}): Metric => ({
  type: 'counter',
  contains: 'default',
  values: { count: total, rate: total / 10 },
  thresholds,
});
const rate = (passes: number, fails: number, thresholds: Metric['thresholds'] = {}): Metric => ({
  type: 'rate',
  contains: 'default',
  values: { rate: passes / (passes + fails || 1), passes, fails },
  thresholds,
});
const trend = (p95: number, thresholds: Metric['thresholds'] = {}): Metric => ({
  type: 'trend',
  contains: 'time',
  values: { med: p95 / 2, 'p(95)': p95, min: p95 / 4, max: p95 },
  thresholds,
});
const HOLDS = { ok: true };
const CROSSED = { ok: false };

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

describe('the summary of a load test', () => {
  type SummaryOf = (
    name: string,
    claim: string,
    plan: object,
  ) => (data: Summary) => Record<string, string>;
  let summaryOf: SummaryOf;
  beforeAll(async () => {
    Object.assign(globalThis, { __ENV: { BASE_URL: 'http://site', RESULTS: 'results' } });
    ({ summaryOf } = await import(join(ROOT, 'loadtest/lib/summary.ts')));
  });

  const filesOf = (data: Summary) => summaryOf('soak', 'It lasts', PLAN)(data);

  it('should say that the run passed, and write its data', () => {
    const files = filesOf(dataOf({ views: counter(10, { 'count>=9': HOLDS }) }));
    expect(Object.keys(files)).toEqual(['stdout', 'results/soak.json']);
    expect(files.stdout).toContain('✓ soak passed: It lasts, at http://site\n');
    expect(JSON.parse(files['results/soak.json'] ?? '').metrics.views.values.count).toBe(10);
  });

  it.each<[string, Summary]>([
    ['failed', dataOf({ views: counter(5, { 'count>=9': CROSSED }) })],
    [
      'failed',
      dataOf({
        views: counter(9, { 'count>=9': HOLDS }),
        checks: rate(0, 0, { 'rate==1': HOLDS }),
      }),
    ],
    ['failed', dataOf({ time: trend(0, { 'p(95)<500': HOLDS }) })],
    ['was not judged: there are no thresholds', dataOf({ views: counter(9) })],
    ['was interrupted after 4.0 of 10 s', dataOf({ views: counter(9, { 'count>=9': HOLDS }) }, 4)],
  ])('should keep the last good result, and say: %s', (problem, data) => {
    const files = filesOf(data);
    expect(Object.keys(files)).toEqual(['stdout', 'results/soak.failed.json']);
    expect(files.stdout).toContain(`✗ soak ${problem}, at`);
  });

  it('should never show a threshold without samples as held', () => {
    const text = textSummary(
      dataOf({ checks: rate(0, 0, { 'rate==1': HOLDS }), time: trend(0, { 'max<5': HOLDS }) }),
    );
    expect(text).toContain("checks\n    ✗ 'rate==1' no samples");
    expect(text).toContain("time\n    ✗ 'max<5' no samples");
    expect(text).not.toContain('✓');
  });

  it('should sort metrics and thresholds, which k6 passes in no order', () => {
    const text = textSummary(
      dataOf({
        views: counter(2, { 'count>1': HOLDS, 'count<3': HOLDS }),
        checks: rate(2, 0, { 'rate==1': HOLDS }),
      }),
    );
    expect(text.indexOf('checks')).toBeLessThan(text.indexOf('views'));
    expect(text.indexOf('count<3')).toBeLessThan(text.indexOf('count>1'));
  });

  it('should refuse the data that k6 passes with --new-machine-readable-summary', () => {
    const data = {
      version: '1.0.0',
      metadata: {},
      config: {},
      results: { checks: {}, metrics: [] },
    };
    expect(() => filesOf(data as unknown as Summary)).toThrow(
      '--new-machine-readable-summary=false',
    );
  });
});
