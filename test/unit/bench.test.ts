import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { chart } from '../../tools/bench/chart.ts';
import { figure, isMet } from '../../tools/bench/measures/figure.ts';
import { measures } from '../../tools/bench/measures/index.ts';
import { otherShare, readStat, reasonsAgainst } from '../../tools/bench/other-work.ts';
import { quotesFrom } from '../../tools/bench/quotes.ts';
import { estimateSeconds, SETS } from '../../tools/bench/sets.ts';
import {
  lostUpdates,
  type Measurement,
  orderOf,
  spreadOf,
  summarize,
} from '../../tools/bench/summary.ts';
import { variants } from '../../tools/bench/variants.ts';
import { chooseByName } from '../../tools/lib/options.ts';
import { HAS_PROC, treeCpuMs } from '../../tools/lib/process-use.ts';
import { median, percentile } from '../../tools/lib/statistics.ts';

function measured(name: string, round: number, requestsPerSecond: number): Measurement {
  return {
    ...{ name, round, requestsPerSecond, requests: 100, p50Ms: 1, p99Ms: 2 },
    cpuUs: { instances: 5000, nginx: 1000, redis: 0 },
    lost: name === 'bare' ? undefined : 1,
  };
}

describe("the benchmark's arithmetic", () => {
  it('should calculate the median', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('should calculate percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile([7], 0.99)).toBe(7);
  });

  it('should count updates that were acknowledged but not stored', () => {
    // 16 counters start at 1, and 1000 replies follow. One more view then reads each counter.
    expect(lostUpdates(1000, 16, 16 + 1000 + 16, 16)).toBe(0);
    expect(lostUpdates(1000, 16, 16 + 400 + 16, 16)).toBe(600);
    expect(lostUpdates(1000, 16, 16 + 1010 + 16, 16)).toBe(0); // ten updates had no reply
  });

  it('should compare each variant with the baselines of the same round', () => {
    const measurements = [
      ...[measured('bare', 1, 1000), measured('other', 1, 500)],
      ...[measured('bare', 2, 100), measured('other', 2, 90)],
      ...[measured('bare', 3, 500), measured('other', 3, 300)],
    ];
    const [bare, other] = summarize(measurements, 'bare', 'other');
    expect(bare?.ratio).toEqual({ median: 1, min: 1, max: 1 });
    expect(other?.ratio).toEqual({ median: 0.6, min: 0.5, max: 0.9 });
    expect(other).toMatchObject({ requestsPerSecond: 300, requests: 300, lost: 3 });
    expect(other?.cpuUsPerRequest).toEqual({ instances: 50, nginx: 10, redis: 0 });
    expect(bare?.lost).toBeUndefined();
    expect(bare?.secondRatio).toBeCloseTo(1 / 0.6); // the median of 2, 1 / 0.9 and 1 / 0.6
    const [without] = summarize(measurements, 'bare', 'not measured');
    expect(without?.secondRatio).toBeNaN();
  });

  it('should calculate the spread between the rounds of a variant', () => {
    const measurements = [400, 600, 500].map((rate, round) => measured('bare', round, rate));
    expect(spreadOf([...measurements, measured('other', 0, 1)], 'bare')).toBe(0.4);
    expect(spreadOf([], 'bare')).toBeNaN();
  });

  it('should vary the order of the rounds', () => {
    const orders = [0, 1, 2].map((round) => orderOf(['a', 'b', 'c'], round).join(''));
    expect(orders).toEqual(['abc', 'acb', 'cab']);
  });

  it('should tell whether a figure meets its target', () => {
    expect(isMet(figure('f', 'ms', [1, 5, 9], { target: { atMost: 5 } }))).toBe(true);
    expect(isMet(figure('f', 'ms', [1, 6, 9], { target: { atMost: 5 } }))).toBe(false);
    expect(isMet(figure('f', 'times', [0.89], { target: { atLeast: 0.9 } }))).toBe(false);
    expect(isMet(figure('f', 'ms', [1]))).toBeUndefined();
  });
});

describe('the judgement of a busy machine', () => {
  it('should calculate the time of other work from that of the machine and of the run', () => {
    const from = { all: 10_000, busy: 4000, own: 1000 };
    expect(otherShare(from, { all: 12_000, busy: 5500, own: 2000 })).toBe(0.25);
    expect(otherShare(from, { all: 12_000, busy: 5500, own: 2510 })).toBe(0);
  });

  it.runIf(HAS_PROC)('should count ended processes of the run as its own', () => {
    const before = treeCpuMs(process.pid);
    spawnSync(process.execPath, ['-e', 'while (process.cpuUsage().user < 300_000);']);
    expect(treeCpuMs(process.pid) - before).toBeGreaterThan(280); // in units of 10 ms
  });

  it('should read the time of all cores, with that of other virtual machines', () => {
    const stat = (irq: number) => `cpu  50 1 20 900 9 ${irq} 8 4 3 0\ncpu0 7 7 7 7 7 7 7 7 7 7\n`;
    expect(readStat(stat(0))).toEqual({ all: 9920, busy: 830 });
    // A kernel that measures the time of interrupts does not count it as time of processes.
    expect(readStat(stat(2))).toEqual({ all: 9940, busy: 750 });
  });

  it.each([
    [{ before: 0.04, during: 0.05, spread: 0.25 }, []],
    [{}, []],
    [{ spread: NaN }, []],
    [
      { before: 0.06, during: 0.05 },
      ['other work took 6 % of the CPU time before the run (limit 5 %)'],
    ],
    [
      { before: 0, during: 0.5, spread: 0.26 },
      [
        'other work took 50 % of the CPU time during the run (limit 5 %)',
        'bare Express varied by 26 % between rounds (limit 25 %)',
      ],
    ],
  ])('should judge %j', (disturbance, reasons) => {
    expect(reasonsAgainst(disturbance)).toEqual(reasons);
  });

  it('should be in the chart', () => {
    const summaries = summarize([measured('bare', 1, 100)], 'bare', 'other');
    const drawing = chart(summaries, 'Title', ['a machine', 'TOO BUSY TO JUDGE: a reason']);
    expect(drawing).toContain('>TOO BUSY TO JUDGE: a reason</text>');
  });
});

describe('what the README quotes', () => {
  it('should take at most five minutes', () => {
    const all = [...variants, ...measures];
    const chosen = chooseByName(['quoted'], all, SETS);
    expect(chosen).toHaveLength(SETS.quoted.length);
    const compared = variants.filter((one) => chosen.includes(one));
    const others = measures.filter((one) => chosen.includes(one));
    const options = { rounds: 5, seconds: 3 };
    expect(estimateSeconds(compared, others, options)).toBeLessThanOrEqual(300);
  });

  it('should come from the tables of the document, with the remark of a busy machine', () => {
    const run = '2026-01-01, A CPU, 2 cores, 24 GiB, Node v24. TOO BUSY TO JUDGE: a reason.';
    const head = '| variant | ratio | range | to minimal nginx | lost updates |';
    const document = `<!-- benchmark -->
${run}

${head}
| --- | --- | --- | --- | --- |
| article | 0.40 | 0.30–0.50 | 0.35 | 7 (47.1 %) |
| views | 0.60 | 0.50–0.70 | 0.55 | 0 |
| data | 1.00 | 0.90–1.10 | 0.95 | – |
<!-- /benchmark -->
<!-- figures -->
${run}

| figure | median |
| --- | --- |
| startup | 2000 ms |
| memory idle | 90 MB |
| scale up | 800 ms |
<!-- /figures -->
`;
    expect(quotesFrom(document)).toBe(`- \`GET /\`: 0.60 (0.50–0.70), 0.55; lost updates: 0
- the same by express-session alone: 0.40 (0.30–0.50), 0.35; lost updates: 7 (47.1 %)
- \`GET /data\`: 1.00 (0.90–1.10), 0.95
- startup 2000 ms, memory idle 90 MB, scale up 800 ms
- 2026-01-01, A CPU, 2 cores, 24 GiB, TOO BUSY TO JUDGE
`);
  });
});
