import type { Metric, Metrics } from './metrics.ts';
import type { Options } from './options.ts';
import { Refusal } from './refusal.ts';

const FIGURES = {
  counter: /^(count|rate)$/,
  gauge: /^value$/,
  rate: /^rate$/,
  trend: /^(avg|min|max|med|p\(\d+(\.\d+)?\))$/,
};

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '===': (a, b) => a === b,
  '!=': (a, b) => a !== b,
};

/** One threshold, such as `p(95)<200` of `http_req_duration`. */
export interface Threshold {
  metric: Metric;
  source: string;
  abortOnFail: boolean;
  /** Milliseconds from the start of the run. */
  delayAbortEval: number;
  holds(seconds: number): boolean;
}

/**
 * Reads the thresholds of a script.
 *
 * @throws {Refusal} where the metric or the expression is not known
 */
export function readThresholds(options: Options, metrics: Metrics): Threshold[] {
  return Object.entries(options.thresholds).flatMap(([name, list]) => {
    const metric = metrics.find(name);
    return list.map(({ threshold, ...rest }) => ({
      ...rest,
      metric,
      source: threshold,
      holds: parse(threshold, metric),
    }));
  });
}

function parse(source: string, metric: Metric): Threshold['holds'] {
  const [, figure = '', operator = '', limit] =
    /^\s*([a-z]+(?:\([\d.]+\))?)\s*(<=|>=|===|==|!=|<|>)\s*(-?\d+(?:\.\d+)?)\s*$/.exec(source) ??
    [];
  const compare = COMPARE[operator];
  if (!compare || !FIGURES[metric.type].test(figure)) {
    throw new Refusal(
      `threshold of ${metric.name}: ${source} is no expression for a ${metric.type}`,
    );
  }
  return (seconds) => {
    const value = metric.sink.figure(figure, seconds);
    return value === undefined || compare(value, Number(limit)); // a Rate without samples passes
  };
}

/** Which thresholds that end a run do not hold now; without samples there is nothing to judge. */
export function failedEarly(thresholds: Threshold[], ms: number): Threshold[] {
  return thresholds.filter(
    (one) =>
      one.abortOnFail &&
      ms >= one.delayAbortEval &&
      !one.metric.sink.isEmpty &&
      !one.holds(ms / 1000),
  );
}
