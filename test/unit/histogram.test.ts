import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addBuckets, type Buckets, countOf, quantile } from '../../services/dashboard/histogram.ts';

const BOUNDS = [0.001, 0.01, 0.1, 0.25, 1, Infinity];

/** Seconds, over all orders of magnitude and beyond the last bound. */
const duration = fc.double({ min: -9, max: 2, noNaN: true }).map(Math.exp);
const durations = fc.array(duration, { minLength: 1, maxLength: 300 });

/** The cumulative counts that a Prometheus client would have after observing the values. */
function bucketsOf(values: number[]): Buckets {
  const countUpTo = (bound: number) => values.filter((value) => value <= bound).length;
  return new Map(BOUNDS.map((bound) => [bound, countUpTo(bound)]));
}

/** The exact quantile of the values, by nearest rank. */
function exactQuantile(values: number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

const QUANTILES = [0.1, 0.5, 0.9, 0.99, 1];

describe('quantile', () => {
  it('should lie in the bucket of the exact quantile', () => {
    fc.assert(
      fc.property(durations, fc.constantFrom(...QUANTILES), (values, q) => {
        const exact = exactQuantile(values, q);
        const upper = BOUNDS.find((bound) => exact <= bound) ?? Infinity;
        const lower = BOUNDS[BOUNDS.indexOf(upper) - 1] ?? 0;
        const found = quantile(q, bucketsOf(values)) ?? Number.NaN;
        expect(found).toBeGreaterThanOrEqual(lower);
        expect(found).toBeLessThanOrEqual(Number.isFinite(upper) ? upper : 1);
      }),
    );
  });

  it('should interpolate as histogram_quantile of Prometheus does', () => {
    // 10 values up to 0.1, 30 more up to 0.25: the 20th of 40 is a third of the way from 0.1 to 0.25
    const buckets = new Map([
      [0.1, 10],
      [0.25, 40],
      [Infinity, 40],
    ]);
    expect(quantile(0.5, buckets)).toBeCloseTo(0.15, 10);
    expect(quantile(0.25, buckets)).toBeCloseTo(0.1, 10);
    expect(quantile(0.125, buckets)).toBeCloseTo(0.05, 10); // the first bucket begins at 0
    expect(quantile(1, buckets)).toBeCloseTo(0.25, 10);
  });

  it('should be null if nothing was observed', () => {
    expect(quantile(0.99, new Map())).toBeNull();
    expect(quantile(0.5, bucketsOf([]))).toBeNull();
  });

  it('should be the highest finite bound for values above it', () => {
    expect(quantile(0.99, bucketsOf([60, 70]))).toBe(1);
  });

  it('should not depend on the order of the buckets', () => {
    const buckets = bucketsOf([0.002, 0.05, 0.2, 0.7]);
    for (const q of QUANTILES) {
      expect(quantile(q, new Map([...buckets].reverse()))).toBe(quantile(q, buckets));
    }
  });
});

describe('addBuckets', () => {
  it('should merge the histograms of several instances', () => {
    fc.assert(
      fc.property(fc.array(durations, { maxLength: 5 }), (parts) => {
        const sum: Buckets = new Map();
        for (const part of parts) addBuckets(sum, bucketsOf(part));
        expect(countOf(sum)).toBe(parts.flat().length);
        for (const q of QUANTILES) {
          expect(quantile(q, sum)).toBe(quantile(q, bucketsOf(parts.flat())));
        }
      }),
    );
  });

  it('should subtract an earlier scrape, so that only newer values remain', () => {
    fc.assert(
      fc.property(durations, durations, (before, since) => {
        const delta = addBuckets(bucketsOf([...before, ...since]), bucketsOf(before), -1);
        expect(delta).toEqual(bucketsOf(since));
      }),
    );
  });
});
