/** Cumulative counts by upper bound of the bucket, in seconds, as Prometheus has them. */
export type Buckets = Map<number, number>;

/** Adds the counts of another histogram; with `sign` -1 it subtracts them. */
export function addBuckets(sum: Buckets, other: Buckets, sign: 1 | -1 = 1): Buckets {
  for (const [bound, count] of other) sum.set(bound, (sum.get(bound) ?? 0) + sign * count);
  return sum;
}

/** How many values were observed. */
export function countOf(buckets: Buckets): number {
  return buckets.get(Infinity) ?? 0;
}

/**
 * A quantile from 0 to 1, in seconds, interpolated within its bucket; `null` if nothing was observed.
 * Values above the highest finite bound count as that bound.
 * @see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
 */
export function quantile(q: number, buckets: Buckets): number | null {
  const rank = q * countOf(buckets);
  if (rank <= 0) return null;
  let [lower, below] = [0, 0];
  for (const [bound, count] of [...buckets].sort(([a], [b]) => a - b)) {
    if (count >= rank) {
      return bound === Infinity
        ? lower
        : lower + ((bound - lower) * (rank - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}
