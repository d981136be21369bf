import type { BenchmarkOptions } from './benchmark.ts';
import type { Measure } from './measures/index.ts';
import { measures } from './measures/index.ts';
import { MINIMAL_NGINX, type Variant, variants } from './variants.ts';

const SCALING = ['capacity', 'cpu-scaling'];

/** Names for `--only` that stand for several variants and measures. */
export const SETS = {
  /** All that the README quotes, in five minutes. */
  quoted: [MINIMAL_NGINX, 'article', 'views', 'data', 'startup', 'memory', 'scale'],
  /** All that docs/performance.md shows. */
  performance: [...variants, ...measures]
    .map(({ name }) => name)
    .filter((name) => !SCALING.includes(name)),
  /** All that docs/scaling.md shows. */
  scaling: SCALING,
};

/** Seconds on two cores in which a variant starts, gets its visitors and warms up. */
const START_SECONDS = 6;
/** Seconds between two measurements. */
const GAP_SECONDS = 0.5;

/** The usual duration of a run on two cores, in seconds. */
export function estimateSeconds(
  compared: readonly Variant[],
  chosen: readonly Measure[],
  { rounds, seconds }: Pick<BenchmarkOptions, 'rounds' | 'seconds'>,
): number {
  const each = START_SECONDS + rounds * (seconds + GAP_SECONDS);
  return chosen.reduce((total, measure) => total + measure.seconds, compared.length * each);
}
