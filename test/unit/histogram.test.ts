import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../services/dashboard/histogram.ts';

/** Milliseconds, as requests take them, over all orders of magnitude. */
const duration = fc.double({ min: -4.6, max: 9, noNaN: true }).map(Math.exp);
const durations = fc.array(duration, { minLength: 1, maxLength: 300 });

function histogramOf(values: number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.observe(value);
  return histogram;
}

/** The smallest of the values that is not below a share `q` of them. */
function exactQuantile(values: number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

const QUANTILES = [0, 0.5, 0.9, 0.99, 1];

describe('Histogram', () => {
  it('should have quantiles within 10 % of the exact ones', () => {
    fc.assert(
      fc.property(durations, fc.constantFrom(...QUANTILES), (values, q) => {
        const ratio = (histogramOf(values).quantile(q) ?? 0) / exactQuantile(values, q);
        expect(ratio).toBeGreaterThan(0.9);
        expect(ratio).toBeLessThan(1.1);
      }),
    );
  });

  it('should be, when others are added, as if it had observed all itself', () => {
    fc.assert(
      fc.property(fc.array(durations, { maxLength: 5 }), (parts) => {
        const sum = new Histogram();
        for (const part of parts) sum.add(histogramOf(part).take());
        const all = histogramOf(parts.flat());
        for (const q of QUANTILES) expect(sum.quantile(q)).toBe(all.quantile(q));
        expect(sum.take()).toEqual(all.take());
      }),
    );
  });

  it('should begin anew once it was taken', () => {
    const histogram = histogramOf([1, 2, 3, 500]);
    const taken = histogram.take();
    expect(taken.reduce((sum, [, count]) => sum + count, 0)).toBe(4);
    expect(histogram.quantile(0.5)).toBeNull();
    expect(histogram.take()).toEqual([]);
    histogram.observe(7);
    expect((histogram.quantile(0.99) ?? 0) / 7).toBeCloseTo(1, 0.9);
  });

  it('should have no quantile where nothing was counted', () => {
    expect(new Histogram().quantile(0.99)).toBeNull();
    const histogram = new Histogram();
    histogram.add([]);
    expect(histogram.quantile(0.5)).toBeNull();
  });

  it('should be small where little was counted, however often', () => {
    expect(histogramOf(Array(10_000).fill(3)).take()).toHaveLength(1);
  });

  it('should count also what is beyond its ends', () => {
    const histogram = histogramOf([0, 0, 0, 60_000]);
    expect(histogram.quantile(0.5)).toBeLessThan(0.1);
    expect(histogram.quantile(1)).toBeGreaterThan(8000);
  });

  it('should pass over what another cannot have counted', () => {
    const histogram = histogramOf([5]);
    const before = histogram.quantile(1);
    histogram.add([
      [-1, 3],
      [1e6, 3],
      [1.5, 3],
    ]);
    expect(histogram.quantile(1)).toBe(before);
    expect(histogram.take()).toHaveLength(1);
  });
});
