/** CPU time in microseconds, by what took it. */
export interface CpuUse {
  instances: number;
  nginx: number;
  redis: number;
}

/** What was measured of one contestant in one round. */
export interface Measurement {
  name: string;
  round: number;
  /** Requests that were answered with 200. */
  requests: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Nothing where the system does not say. */
  cpuUs: CpuUse | undefined;
  /** Updates that were answered with 200 and not kept; nothing where it does not count. */
  lost: number | undefined;
}

/** Several values in short. */
export interface Range {
  median: number;
  min: number;
  max: number;
}

/** What was measured of one contestant in all rounds. */
export interface Summary {
  name: string;
  requests: number;
  /** Medians over the rounds. */
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Requests per second, over those of the baseline in the same round. */
  ratio: Range;
  /** CPU time in microseconds for each request. */
  cpuUsPerRequest: CpuUse | undefined;
  lost: number | undefined;
}

/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

export function rangeOf(values: readonly number[]): Range {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The value that the given share of all is not above (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/**
 * How many updates were answered and not kept. A generator stops with requests under way, one for
 * each connection at most: they may have been counted without a reply, and make no loss negative.
 *
 * @param before the sum of all counters before the load
 * @param after their sum after it, in which the `reads` that told it are counted themselves
 */
export function lostUpdates(replies: number, before: number, after: number, reads: number): number {
  return Math.max(0, replies - (after - reads - before));
}

/** The CPU time between two looks. */
export function cpuBetween(before: CpuUse, after: CpuUse): CpuUse {
  return {
    instances: after.instances - before.instances,
    nginx: after.nginx - before.nginx,
    redis: after.redis - before.redis,
  };
}

/** The CPU time for each request of all measurements together; nothing where one lacks it. */
export function cpuPerRequest(measurements: readonly Measurement[]): CpuUse | undefined {
  const uses = measurements.map(({ cpuUs }) => cpuUs).filter((use) => use !== undefined);
  if (uses.length < measurements.length) return undefined;
  const requests = sum(measurements.map((measurement) => measurement.requests));
  const each = (part: keyof CpuUse) => sum(uses.map((use) => use[part])) / requests;
  return { instances: each('instances'), nginx: each('nginx'), redis: each('redis') };
}

/** Sums up each contestant, in the order of the first round. */
export function summarize(measurements: readonly Measurement[], baseline: string): Summary[] {
  const byName = Map.groupBy(measurements, ({ name }) => name);
  const rates = new Map(byName.get(baseline)?.map((m) => [m.round, m.requestsPerSecond]));
  return [...byName].map(([name, its]) => ({
    name,
    requests: sum(its.map((m) => m.requests)),
    requestsPerSecond: median(its.map((m) => m.requestsPerSecond)),
    p50Ms: median(its.map((m) => m.p50Ms)),
    p99Ms: median(its.map((m) => m.p99Ms)),
    ratio: rangeOf(its.map((m) => m.requestsPerSecond / (rates.get(m.round) ?? NaN))),
    cpuUsPerRequest: cpuPerRequest(its),
    lost: its.some(({ lost }) => lost === undefined) ? undefined : sum(its.map((m) => m.lost ?? 0)),
  }));
}

/** The order of a round: each time another begins, and every second round goes backwards. */
export function orderOf<T>(all: readonly T[], round: number): T[] {
  const first = round % all.length;
  const order = [...all.slice(first), ...all.slice(0, first)];
  return round % 2 === 0 ? order : order.reverse();
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
