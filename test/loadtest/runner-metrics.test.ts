import { beforeAll, describe, expect, it } from 'vitest';
import { NOTE, type Outcome, runScript, Target } from '../support/load-runner.ts';

// See https://grafana.com/docs/k6/latest/using-k6/metrics/ and …/using-k6/thresholds/

const METRICS = `
import { check, group, sleep } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
`;

const options = (value: object) => `export const options = ${JSON.stringify(value)};`;

describe('figures', () => {
  const thresholds = {
    steps: ['p(95)<9.56', 'p(95)<9.54', 'med==5.5', 'avg>5.5', 'max<=10', 'min>=1', 'p(99.9) < 10'],
    orders: ['count>=5', 'count<5', 'rate>0'],
    level: ['value<3', 'value>=3'],
    lucky: ['rate==0.25', 'rate<0.25'],
    'orders{item:tea}': ['count==3'],
    'orders{item:tea,size:big}': ['count==2'],
    'orders{item:milk}': ['count>0'],
    never_rate: ['rate>0.99'],
    never_counter: ['count>0', 'count<1'],
  };
  let outcome: Outcome;
  beforeAll(async () => {
    outcome = await runScript(
      `${METRICS}
      ${options({
        thresholds,
        summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)', 'count'],
      })}
      const steps = new Trend('steps');
      const orders = new Counter('orders');
      const level = new Gauge('level');
      const lucky = new Rate('lucky');
      new Rate('never_rate');
      new Counter('never_counter');
      export default function () {
        for (const step of [7, 3, 10, 1, 5, 9, 2, 8, 4, 6]) steps.add(step);
        orders.add(2);
        orders.add(2, { item: 'tea', size: 'big' });
        orders.add(1, { item: 'tea' });
        for (const value of [5, 1, 9, 2]) level.add(value);
        for (const value of [true, 0, false, 0]) lucky.add(value);
        check('tea', { 'is tea': (drink) => drink === 'tea', 'is milk': (drink) => drink === 'milk' });
        group('outer', () => group('inner', () => check(1, { 'is one': (one) => one === 1 })));
        sleep(0.2);
      }`,
    );
  });
  const values = (metric: string) => outcome.summary.metrics[metric]?.values ?? {};

  it('should interpolate percentiles between exact samples', () => {
    // The rank of p is p·(n−1), from 0: 0.95 · 9 = 8.55 of 1 … 10, which is 9.55.
    const expected = { avg: 5.5, min: 1, med: 5.5, max: 10 };
    const percentiles = { 'p(90)': 9.1, 'p(95)': 9.55, 'p(99)': 9.91 };
    const rounded = Object.entries(values('steps')).map(([name, value]) => [
      name,
      +value.toFixed(9),
    ]);
    expect(Object.fromEntries(rounded)).toEqual({ ...expected, ...percentiles, count: 10 });
  });

  it('should sum a Counter, and divide it by the time of the run', () => {
    const { count, rate = 0 } = values('orders');
    expect(count).toBe(5);
    const seconds = outcome.summary.state.testRunDurationMs / 1000;
    expect(seconds).toBeGreaterThanOrEqual(0.2);
    expect(rate * seconds).toBeCloseTo(5, 6);
  });

  it('should keep the last, the least and the most of a Gauge', () => {
    expect(values('level')).toEqual({ value: 2, min: 1, max: 9 });
  });

  it('should count what is true and what is not of a Rate', () => {
    expect(values('lucky')).toEqual({ rate: 0.25, passes: 1, fails: 3 });
  });

  it('should count checks, by their groups', () => {
    expect(values('checks')).toEqual({ rate: 2 / 3, passes: 2, fails: 1 });
    const { checks, groups } = outcome.summary.root_group;
    expect(checks).toMatchObject([
      { name: 'is tea', passes: 1, fails: 0 },
      { name: 'is milk', passes: 0, fails: 1 },
    ]);
    expect(groups).toMatchObject([{ name: 'outer', groups: [{ path: '::outer::inner' }] }]);
    expect(groups[0]?.groups[0]?.checks).toMatchObject([{ name: 'is one', passes: 1, fails: 0 }]);
  });

  it.each([
    ['steps', [true, false, true, false, true, true, true]],
    ['orders', [true, false, true]],
    ['level', [true, false]],
    ['lucky', [true, false]],
    ['orders{item:tea}', [true]],
    ['orders{item:tea,size:big}', [true]],
    ['orders{item:milk}', [false]],
    ['never_rate', [true]],
    ['never_counter', [false, true]],
  ] as const)('should judge the thresholds of %s', (metric, expected) => {
    const judged = outcome.summary.metrics[metric]?.thresholds ?? {};
    const sources: string[] = thresholds[metric];
    expect(sources.map((source) => judged[source]?.ok)).toEqual(expected);
  });

  it('should end with 99, and name the metrics whose thresholds fail', () => {
    expect(outcome.code).toBe(99);
    expect(outcome.stderr).toMatch(/thresholds? .*steps/);
    expect(outcome.stderr).not.toMatch(/thresholds? .*never_rate/);
  });
});

describe('thresholds', () => {
  it('should end with 0 where all hold', async () => {
    const { code } = await runScript(`${METRICS}
      ${options({ iterations: 3, thresholds: { iterations: ['count==3'], checks: ['rate==1'] } })}
      export default () => check(1, { 'is one': (one) => one === 1 });`);
    expect(code).toBe(0);
  });

  it.each([
    ['nothing{item:tea}', 'count>0'],
    ['http_reqs', 'p(95)<200'],
    ['http_req_failed', 'count<1'],
    ['http_req_duration', 'p95<200'],
    ['checks', 'rate>0.9 && rate<1'],
  ])('should be refused with 104 as %s: %s', async (metric, source) => {
    await using server = await Target.start();
    const { code, stderr } = await runScript(
      `${NOTE}${options({ thresholds: { [metric]: [source] } })} export default () => note(1);`,
      { server },
    );
    expect(code).toBe(104);
    expect(stderr).toContain(metric.split('{')[0]);
    expect(server.arrivals).toEqual([]);
  });

  it('should end a run early if they request it, after the requested delay', async () => {
    await using server = await Target.start();
    const failing = (delayAbortEval: string, duration: string) =>
      runScript(
        `${NOTE}${METRICS}
        ${options({
          duration,
          thresholds: {
            checks: [{ threshold: 'rate>0.9', abortOnFail: true, delayAbortEval }],
          },
        })}
        export default function () {
          check(1, { 'is two': (one) => one === 2 });
          sleep(0.1);
        }
        export function teardown() { note('teardown'); }`,
        { server },
      );
    const [early, late] = await Promise.all([failing('0s', '25s'), failing('20s', '3s')]);
    expect([early.code, late.code]).toEqual([99, 99]);
    expect(early.ms).toBeLessThan(15_000);
    expect(early.stderr).toContain('checks');
    expect(late.summary.state.testRunDurationMs).toBeGreaterThanOrEqual(3000);
    expect(server.notes).toEqual(['teardown', 'teardown']);
  });
});

describe('output', () => {
  const SCRIPT = `${NOTE}${METRICS}
    ${options({ iterations: 3, thresholds: { checks: ['rate>0.5'] } })}
    export default () => check(note(1), { 'is well': ({ status }) => status === 200 });`;

  it('should be a line of JSON for each metric, and after it one for each sample', async () => {
    await using server = await Target.start();
    const { lines, summary } = await runScript(SCRIPT, { server, lines: true });
    expect(new Set(lines.map(({ type }) => type))).toEqual(new Set(['Metric', 'Point']));
    const of = (metric: string) => lines.filter((line) => line.metric === metric);
    expect(of('http_reqs').map(({ type }) => type)).toEqual(['Metric', 'Point', 'Point', 'Point']);
    expect(of('http_reqs')[0]?.data).toMatchObject({ name: 'http_reqs', type: 'counter' });
    expect(of('checks')[0]?.data.type).toBe('rate');
    expect(of('checks')[1]?.data).toMatchObject({ value: 1, tags: { check: 'is well' } });
    expect(Date.now() - Date.parse(of('checks')[1]?.data.time ?? '')).toBeLessThan(60_000);
    for (const metric of ['http_reqs', 'iterations', 'data_sent', 'data_received']) {
      const [, ...points] = of(metric);
      const sum = points.reduce((before, { data }) => before + data.value, 0);
      expect([metric, sum]).toEqual([metric, summary.metrics[metric]?.values.count]);
    }
  });

  it('should have the headings of k6, and say that it is not k6', async () => {
    await using server = await Target.start();
    const { stdout, stderr } = await runScript(SCRIPT, { server, ownSummary: true });
    const headings = ['THRESHOLDS', 'TOTAL RESULTS', 'HTTP', 'EXECUTION', 'NETWORK'];
    const places = headings.map((heading) => stdout.search(new RegExp(`\\b${heading}\\b`)));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(stdout).toMatch(/http_reqs\.*: 3\b/);
    expect(stderr).toContain('not k6');
    expect(stdout).toMatch(/checks_succeeded\.*: 100\.00% 3 out of 3/);
  });

  it('should go where handleSummary wants it, and nowhere else', async () => {
    const { stdout, stderr, written } = await runScript(
      `export default () => {};
      export const handleSummary = ({ metrics }) => ({
        stdout: 'to stdout',
        stderr: 'to stderr',
        'summary.txt': String(metrics.iterations.values.count),
      });`,
      { ownSummary: true },
    );
    expect(stdout).toBe('to stdout');
    expect(stderr).toContain('to stderr');
    expect(written).toEqual({ 'summary.txt': '1' });
  });

  it('should have the figures that --summary-trend-stats asks for, and be all with -q', async () => {
    const { code, stderr, summary } = await runScript('export default () => {};', {
      args: ['-q', '--summary-trend-stats', 'med,p(99.9)'],
    });
    expect(code).toBe(0);
    const { values = {} } = summary.metrics.iteration_duration ?? {};
    expect(Object.keys(values).sort()).toEqual(['med', 'p(99.9)']);
    expect(stderr).toBe('');
  });
});
