import { describe, expect, it } from 'vitest';
import { NOTE, type Outcome, runScript, Target } from '../support/load-runner.ts';
import { range } from '../support/proofs.ts';

// See https://grafana.com/docs/k6/latest/using-k6/scenarios/executors/

/** Options with these scenarios. */
const scenarios = (named: Record<string, object>) =>
  `import { sleep } from 'k6';
  import exec from 'k6/execution';
  export const options = { scenarios: ${JSON.stringify(named)} };`;

const count = ({ summary }: Outcome, metric: string) => summary.metrics[metric]?.values.count ?? 0;

/** How often each value occurs. */
const tally = (values: unknown[]) =>
  Object.fromEntries(
    [...new Set(values)].map((one) => [one, values.filter((v) => v === one).length]),
  );

/** What the samples of a metric add up to, by scenario. */
function sums({ lines }: Outcome, name: string): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { type, metric, data } of lines) {
    const { scenario } = data.tags ?? {};
    if (type === 'Point' && metric === name && scenario) {
      sum[scenario] = (sum[scenario] ?? 0) + data.value;
    }
  }
  return sum;
}

const to = (duration: string, target: number) => ({ duration, target });

const PER_VU = { executor: 'per-vu-iterations' };

describe('executors of iterations', () => {
  it('should share 10 iterations among 3 VUs', async () => {
    await using server = await Target.start();
    const one = { executor: 'shared-iterations', vus: 3, iterations: 10 };
    const outcome = await runScript(
      `${NOTE}${scenarios({ one })}
      export default () => note([exec.scenario.iterationInTest, __VU]);`,
      { server },
    );
    expect(outcome.code).toBe(0);
    expect(count(outcome, 'iterations')).toBe(10);
    expect(server.notes.map(([i]) => i).sort()).toEqual(range(0, 9));
    expect(new Set(server.notes.map(([, vu]) => vu)).size).toBeLessThanOrEqual(3);
  });

  it('should let each of 3 VUs make 4 iterations', async () => {
    await using server = await Target.start();
    const outcome = await runScript(
      `${NOTE}${scenarios({ one: { ...PER_VU, vus: 3, iterations: 4 } })}
      export default () => note(__VU);`,
      { server },
    );
    expect(count(outcome, 'iterations')).toBe(12);
    expect(tally(server.notes)).toEqual({ 1: 4, 2: 4, 3: 4 });
  });

  it('should begin no iteration after maxDuration, and count those as dropped', async () => {
    // They begin after 0 and 0.51 s, and not after 1.02 s.
    const one = { iterations: 100, maxDuration: '1s' };
    const outcome = await runScript(
      `${scenarios({
        shared: { executor: 'shared-iterations', ...one },
        own: { executor: 'per-vu-iterations', ...one },
      })}
      export default () => sleep(0.51);`,
      { lines: true },
    );
    expect(outcome.code).toBe(0);
    expect(sums(outcome, 'iterations')).toEqual({ shared: 2, own: 2 });
    expect(sums(outcome, 'dropped_iterations')).toEqual({ shared: 98, own: 98 });
  });
});

describe('executors of VUs', () => {
  it.each([
    ['constant-vus', { vus: 3, duration: '1s' }],
    [
      'ramping-vus',
      {
        startVUs: 0,
        stages: [
          { duration: '400ms', target: 3 },
          { duration: '500ms', target: 3 },
          { duration: '400ms', target: 0 },
        ],
      },
    ],
  ])('should have 3 VUs of %s at once', async (executor, settings) => {
    await using server = await Target.start();
    const outcome = await runScript(
      `${NOTE}${scenarios({ one: { executor, ...settings } })}
      export default () => http.get(URL + '/delay/80', { tags: { vu: String(__VU) } });`,
      { server, lines: true },
    );
    expect(outcome.code).toBe(0);
    expect(server.mostAtOnce).toBe(3);
    const users = outcome.lines.map(({ data }) => data.tags?.vu).filter(Boolean);
    expect([...new Set(users)].sort()).toEqual(['1', '2', '3']);
    expect(outcome.summary.metrics.vus_max?.values.max).toBe(3);
    expect(count(outcome, 'iterations')).toBe(server.arrivals.length);
  });

  it('should take the VUs of ramping-vus away one after the other', async () => {
    await using server = await Target.start();
    const stages = [{ duration: '2s', target: 0 }];
    await runScript(
      `${NOTE}${scenarios({ one: { executor: 'ramping-vus', startVUs: 2, stages } })}
      export default function () { note(__VU); sleep(0.05); }`,
      { server },
    );
    const { 1: longest = 0, 2: shortest = 0 } = tally(server.notes);
    expect(shortest).toBeGreaterThan(0);
    expect(longest).toBeGreaterThan(shortest);
  });

  it('should give iterations their gracefulStop to end, and interrupt them then', async () => {
    const one = { executor: 'constant-vus', vus: 1, duration: '300ms' };
    const outcome = await runScript(
      `${scenarios({
        ends: { ...one, gracefulStop: '20s' },
        sleeps: { ...one, gracefulStop: '200ms', exec: 'sleeps' },
        works: { ...one, gracefulStop: '0s', exec: 'works' },
      })}
      export default () => sleep(1);
      export const sleeps = () => sleep(20);
      export function works() { for (;;); }`,
      { lines: true },
    );
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toContain('1 complete and 2 interrupted iterations');
    expect(sums(outcome, 'iterations')).toEqual({ ends: 1 });
    expect(outcome.ms).toBeLessThan(15_000);
  });
});

describe('executors of arrivals', () => {
  it('should begin as many iterations as the area under the rate', async () => {
    const constant = { executor: 'constant-arrival-rate', duration: '1s', preAllocatedVUs: 2 };
    const ramping = { executor: 'ramping-arrival-rate', preAllocatedVUs: 2 };
    const outcome = await runScript(
      `${scenarios({
        perSecond: { ...constant, rate: 20 },
        perMinute: { ...constant, rate: 600, timeUnit: '1m' },
        up: { ...ramping, stages: [to('1s', 20), to('500ms', 20)] },
        down: { ...ramping, startRate: 20, stages: [to('1s', 0)] },
        jump: { ...ramping, stages: [to('0s', 20), to('1s', 20)] },
      })}
      export default () => {};`,
      { lines: true },
    );
    const expected = { perSecond: 20, perMinute: 10, up: 20, down: 10, jump: 20 };
    const begun = sums(outcome, 'iterations');
    for (const [name, area] of Object.entries(expected)) {
      expect(Math.abs((begun[name] ?? 0) - area), name).toBeLessThanOrEqual(1);
    }
    expect(sums(outcome, 'dropped_iterations')).toEqual({});
  });

  it('should space the beginnings evenly, also where iterations take longer', async () => {
    await using server = await Target.start();
    const one = {
      executor: 'constant-arrival-rate',
      rate: 20,
      duration: '1s',
      preAllocatedVUs: 10,
    };
    await runScript(
      `${NOTE}${scenarios({ one })} export default () => http.get(URL + '/delay/200');`,
      { server },
    );
    const times = server.arrivals.map(({ at }) => at);
    const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    const median = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
    expect(median).toBeGreaterThan(35);
    expect(median).toBeLessThan(65);
  });

  it('should drop the iterations for which no VU is free', async () => {
    await using server = await Target.start();
    const one = { preAllocatedVUs: 2, gracefulStop: '0s' };
    const outcome = await runScript(
      `${NOTE}${scenarios({
        constant: { ...one, executor: 'constant-arrival-rate', rate: 10, duration: '1s' },
        ramping: {
          ...one,
          executor: 'ramping-arrival-rate',
          startRate: 10,
          stages: [to('1s', 10)],
        },
      })}
      export default () => { note(exec.scenario.name); sleep(20); };`,
      { server, lines: true },
    );
    expect(tally(server.notes)).toEqual({ constant: 2, ramping: 2 });
    expect(outcome.stderr).toContain('0 complete and 4 interrupted iterations');
    const { constant = 0, ramping = 0 } = sums(outcome, 'dropped_iterations');
    for (const dropped of [constant, ramping]) {
      expect(Math.abs(dropped - 8)).toBeLessThanOrEqual(1);
    }
  });
});

describe('scenarios', () => {
  it('should call their own functions with VUs of their own, and know their names', async () => {
    await using server = await Target.start();
    const outcome = await runScript(
      `${NOTE}${scenarios({
        one: { ...PER_VU, iterations: 2 },
        two: { ...PER_VU, vus: 2, exec: 'other', tags: { kind: 'extra' } },
      })}
      const tell = (name) => note({
        name, scenario: exec.scenario.name, same: exec.vu.idInTest === __VU, vu: __VU,
        i: exec.vu.iterationInScenario, recent: Date.now() - exec.scenario.startTime < 60_000,
      });
      export default () => tell('default');
      export const other = () => tell('other');`,
      { server, lines: true },
    );
    expect(outcome.code).toBe(0);
    const told = server.notes.map(({ name, scenario, i }) => `${name} ${scenario} ${i}`).sort();
    expect(told).toEqual(['default one 0', 'default one 1', 'other two 0', 'other two 0']);
    expect(server.notes.every(({ same, recent }) => same && recent)).toBe(true);
    expect([...new Set(server.notes.map(({ vu }) => vu))].sort()).toEqual([1, 2, 3]);
    const requests = outcome.lines.filter(
      ({ type, metric }) => type === 'Point' && metric === 'http_reqs',
    );
    expect(tally(requests.map(({ data }) => `${data.tags.scenario} ${data.tags.kind}`))).toEqual({
      'one undefined': 2,
      'two extra': 2,
    });
  });

  it('should begin at their startTime', async () => {
    await using server = await Target.start();
    await runScript(
      `${NOTE}${scenarios({ late: { ...PER_VU, startTime: '1s' }, early: PER_VU })}
      export default () => note(exec.scenario.name);`,
      { server },
    );
    expect(server.notes).toEqual(['early', 'late']);
    const [early, late] = server.arrivals;
    expect((late?.at ?? 0) - (early?.at ?? 0)).toBeGreaterThan(500);
  });

  it.each([
    ['-u 2 -i 6', 6],
    ['--vus 2 --duration 400ms', 2],
  ])('should be replaced by %s on the command line', async (words, least) => {
    await using server = await Target.start();
    const outcome = await runScript(
      `${NOTE}${scenarios({ one: { ...PER_VU, exec: 'other' } })}
      export default function () { note(exec.scenario.name); sleep(0.1); }
      export const other = () => note('other');`,
      { server, args: words.split(' ') },
    );
    expect(outcome.code).toBe(0);
    expect(Object.keys(tally(server.notes))).toEqual(['default']);
    if (words.includes('-i')) expect(server.notes).toHaveLength(least);
    else expect(server.notes.length).toBeGreaterThanOrEqual(least);
    expect(outcome.summary.metrics.vus_max?.values.max).toBe(2);
  });

  it.each([
    ['vus: 2, iterations: 5', 5],
    [`vus: 2, duration: '300ms'`, 2],
    [`stages: [{ duration: '300ms', target: 2 }]`, 1],
  ])('should be what the short options { %s } come to', async (options, least) => {
    const outcome = await runScript(`import { sleep } from 'k6';
      export const options = { ${options} }; export default () => sleep(0.1);`);
    expect(outcome.code).toBe(0);
    expect(count(outcome, 'iterations')).toBeGreaterThanOrEqual(least);
    if (!/\d+m?s/.test(options)) expect(count(outcome, 'iterations')).toBe(least);
  });
});
