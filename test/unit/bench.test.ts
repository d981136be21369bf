import { describe, expect, it } from 'vitest';
import { figure, isMet } from '../../tools/bench/measures/figure.ts';
import {
  lostUpdates,
  type Measurement,
  orderOf,
  ratios,
  summarize,
} from '../../tools/bench/summary.ts';
import { median, percentile } from '../../tools/lib/statistics.ts';

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

  it('should compare each variant with the baseline of the same round', () => {
    const measured = (name: string, round: number, requestsPerSecond: number): Measurement => ({
      ...{ name, round, requestsPerSecond, requests: 100, p50Ms: 1, p99Ms: 2 },
      cpuUs: { instances: 5000, nginx: 1000, redis: 0 },
      lost: name === 'bare' ? undefined : 1,
    });
    const measurements = [
      ...[measured('bare', 1, 1000), measured('other', 1, 500)],
      ...[measured('bare', 2, 100), measured('other', 2, 90)],
      ...[measured('bare', 3, 500), measured('other', 3, 300)],
    ];
    const [bare, other] = summarize(measurements, 'bare');
    expect(bare?.ratio).toEqual({ median: 1, min: 1, max: 1 });
    expect(other?.ratio).toEqual({ median: 0.6, min: 0.5, max: 0.9 });
    expect(other).toMatchObject({ requestsPerSecond: 300, requests: 300, lost: 3 });
    expect(other?.cpuUsPerRequest).toEqual({ instances: 50, nginx: 10, redis: 0 });
    expect(bare?.lost).toBeUndefined();
    expect(ratios(measurements, 'other', 'bare')).toEqual([0.5, 0.9, 0.6]);
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
