import { median, sum } from '../lib/statistics.ts';

/** CPU time in microseconds, by the processes that used it. */
export interface CpuUse {
  instances: number;
  nginx: number;
  redis: number;
}

/** The result of one variant in one round. */
export interface Measurement {
  name: string;
  round: number;
  /** Requests that were answered with 200. */
  requests: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Missing if the system has no /proc. */
  cpuUs: CpuUse | undefined;
  /** Updates that were answered with 200 and not stored; missing if the variant does not count. */
  lost: number | undefined;
}

export interface Range {
  median: number;
  min: number;
  max: number;
}

/** The result of one variant in all rounds. */
export interface Summary {
  name: string;
  requests: number;
  /** Medians over the rounds. */
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Requests per second divided by those of the baseline in the same round. */
  ratio: Range;
  /** The same for a second baseline; NaN if it was not measured. */
  secondRatio: number;
  /** CPU time in microseconds for each request. */
  cpuUsPerRequest: CpuUse | undefined;
  lost: number | undefined;
}

function rangeOf(values: readonly number[]): Range {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The number of updates that were answered and not stored. A load ends with one request under way
 * on each connection. These may be counted without a reply, so the result is never negative.
 *
 * @param before the sum of all counters before the load
 * @param after their sum after the load, which includes the `reads` themselves
 */
export function lostUpdates(replies: number, before: number, after: number, reads: number): number {
  return Math.max(0, replies - (after - reads - before));
}

/** Calculates a figure for each kind of process. */
export function mapCpu(figure: (kind: keyof CpuUse) => number): CpuUse {
  return { instances: figure('instances'), nginx: figure('nginx'), redis: figure('redis') };
}

function cpuPerRequest(measurements: readonly Measurement[]): CpuUse | undefined {
  const uses = measurements.flatMap(({ cpuUs }) => cpuUs ?? []);
  if (uses.length < measurements.length) return undefined;
  const requests = sum(measurements.map((measurement) => measurement.requests));
  return mapCpu((kind) => sum(uses.map((use) => use[kind])) / requests);
}

/** Requests per second of a variant divided by those of another one, for each round. */
function ratios(measurements: readonly Measurement[], name: string, baseline: string): number[] {
  const rates = (of: string) => measurements.filter((one) => one.name === of);
  const base = new Map(rates(baseline).map((one) => [one.round, one.requestsPerSecond]));
  return rates(name).map((one) => one.requestsPerSecond / (base.get(one.round) ?? NaN));
}

/** The difference between the slowest and the fastest round of a variant, as a share of the median. */
export function spreadOf(measurements: readonly Measurement[], name: string): number {
  const rates = measurements.filter((one) => one.name === name).map((one) => one.requestsPerSecond);
  const { median: middle, min, max } = rangeOf(rates);
  return (max - min) / middle;
}

/** Sums up each variant, in the order of the first round. */
export function summarize(
  measurements: readonly Measurement[],
  baseline: string,
  secondBaseline: string,
): Summary[] {
  return [...Map.groupBy(measurements, ({ name }) => name)].map(([name, its]) => ({
    name,
    requests: sum(its.map((one) => one.requests)),
    requestsPerSecond: median(its.map((one) => one.requestsPerSecond)),
    p50Ms: median(its.map((one) => one.p50Ms)),
    p99Ms: median(its.map((one) => one.p99Ms)),
    ratio: rangeOf(ratios(measurements, name, baseline)),
    secondRatio: median(ratios(measurements, name, secondBaseline)),
    cpuUsPerRequest: cpuPerRequest(its),
    lost: its.some(({ lost }) => lost === undefined)
      ? undefined
      : sum(its.map(({ lost }) => lost ?? 0)),
  }));
}

/** The order of a round: each begins with another item, and every second one is reversed. */
export function orderOf<T>(all: readonly T[], round: number): T[] {
  const first = round % all.length;
  const order = [...all.slice(first), ...all.slice(0, first)];
  return round % 2 === 0 ? order : order.reverse();
}
