import type { SparseCounts } from './messages.ts';

/** Buckets for each doubling, so that a quantile is at most 9 % too large. */
const PER_DOUBLING = 8;
/** The upper end of the first bucket, in milliseconds. */
const LEAST_MS = 0.01;
/** Up to about ten seconds. */
const BUCKETS = 20 * PER_DOUBLING;

/**
 * How durations are distributed, in buckets of a constant relative width, so that histograms of
 * several processes can be added.
 * @see https://arxiv.org/abs/1908.10693 DDSketch
 */
export class Histogram {
  #counts = new Uint32Array(BUCKETS);
  #total = 0;

  observe(ms: number): void {
    const bucket = Math.ceil(Math.log2(ms / LEAST_MS) * PER_DOUBLING);
    this.#add(Math.min(Math.max(bucket, 0), BUCKETS - 1), 1);
  }

  /** Adds what another one has counted. */
  add(counts: SparseCounts): void {
    for (const [bucket, count] of counts) {
      if (bucket in this.#counts) this.#add(bucket, count);
    }
  }

  /** The upper end of the bucket of a quantile, from 0 to 1, in milliseconds; `null` where nothing was counted. */
  quantile(q: number): number | null {
    if (this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil(q * this.#total));
    let seen = 0;
    const bucket = this.#counts.findIndex((count) => {
      seen += count;
      return seen >= rank;
    });
    return LEAST_MS * 2 ** (bucket / PER_DOUBLING);
  }

  /** What was counted; counting begins anew. */
  take(): SparseCounts {
    const taken: SparseCounts = [];
    for (const [bucket, count] of this.#counts.entries()) {
      if (count > 0) taken.push([bucket, count]);
    }
    this.#counts.fill(0);
    this.#total = 0;
    return taken;
  }

  #add(bucket: number, count: number): void {
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#total += count;
  }
}
