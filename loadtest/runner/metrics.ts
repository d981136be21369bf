import type { Metric as SummaryMetric } from '../lib/summary-data.ts';
import type { Declaration, Tags } from './modules/host.ts';
import { Refusal } from './refusal.ts';

type Type = Declaration['type'];

/** The metrics that k6 measures by itself. */
const BUILT_IN: Declaration[] = [
  { name: 'checks', type: 'rate', contains: 'default' },
  { name: 'dropped_iterations', type: 'counter', contains: 'default' },
  { name: 'http_req_duration', type: 'trend', contains: 'time' },
  { name: 'http_req_failed', type: 'rate', contains: 'default' },
  { name: 'http_reqs', type: 'counter', contains: 'default' },
  { name: 'iteration_duration', type: 'trend', contains: 'time' },
  { name: 'iterations', type: 'counter', contains: 'default' },
];

/** The figures of a trend in the summary. */
export const STATS = ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)'];

const FIGURES = {
  counter: /^(count|rate)$/,
  rate: /^rate$/,
  trend: /^(avg|min|med|max|p\(\d+(\.\d+)?\))$/,
};

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
};

/** A metric, or the part of it whose samples carry a tag. */
export class Metric {
  readonly name: string;
  readonly type: Type;
  readonly contains: Declaration['contains'];
  readonly parts: { tag: [string, string]; metric: Metric }[] = [];
  /** Those of a trend. */
  readonly #values: number[] = [];
  #count = 0;
  #sum = 0;
  #nonZero = 0;
  #isSorted = true;

  constructor({ name, type, contains }: Declaration) {
    this.name = name;
    this.type = type;
    this.contains = contains;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  add(value: number, tags: Tags): void {
    if (this.type === 'trend') this.#values.push(value);
    this.#count += 1;
    this.#sum += value;
    this.#nonZero += Number(value !== 0);
    this.#isSorted = false;
    for (const { tag, metric } of this.parts) {
      if (tags[tag[0]] === tag[1]) metric.add(value, tags);
    }
  }

  /** All figures, for the summary. */
  values(seconds: number): SummaryMetric['values'] {
    const names = { counter: ['count', 'rate'], rate: ['rate'], trend: STATS }[this.type];
    const figures = names.map((name) => [name, this.#figure(name, seconds)]);
    const counts = { passes: this.#nonZero, fails: this.#count - this.#nonZero };
    return { ...Object.fromEntries(figures), ...(this.type === 'rate' && counts) };
  }

  /**
   * Reads a threshold, such as `p(95)<200`.
   *
   * @returns whether it holds, after so many seconds
   * @throws {Refusal} if this metric has no such figure
   */
  threshold(source: string): (seconds: number) => boolean {
    const expression = /^([a-z]+(?:\([\d.]+\))?)(<=|>=|==|<|>)(\d+(?:\.\d+)?)$/;
    const [, figure = '', operator = '', limit] = expression.exec(source) ?? [];
    const compare = COMPARE[operator];
    if (!compare || !FIGURES[this.type].test(figure)) {
      throw new Refusal(`threshold on ${this.name}: ${source} is unknown for a ${this.type}`);
    }
    // As in k6, a rate without samples crosses no threshold.
    return (seconds) =>
      (this.type === 'rate' && this.isEmpty) ||
      compare(this.#figure(figure, seconds), Number(limit));
  }

  #figure(name: string, seconds: number): number {
    if (this.isEmpty) return 0;
    if (name === 'count') return this.#sum;
    if (name === 'rate')
      return this.type === 'rate' ? this.#nonZero / this.#count : this.#sum / seconds;
    if (name === 'avg') return this.#sum / this.#count;
    const percent = { min: 0, med: 50, max: 100 }[name] ?? Number(/^p\((.+)\)$/.exec(name)?.[1]);
    return this.#percentile(percent / 100);
  }

  /** Linear between the samples next to rank p·(n−1), as in k6. */
  #percentile(p: number): number {
    if (!this.#isSorted) this.#values.sort((a, b) => a - b);
    this.#isSorted = true;
    const rank = p * (this.#values.length - 1);
    const low = this.#values[Math.floor(rank)] ?? 0;
    const high = this.#values[Math.ceil(rank)] ?? low;
    return low + (high - low) * (rank - Math.floor(rank));
  }
}

/** All metrics of a run. */
export class Metrics {
  readonly #metrics = new Map(BUILT_IN.map((one) => [one.name, new Metric(one)]));

  /** Adds a metric of the script. */
  declare(one: Declaration): void {
    if (this.#metrics.has(one.name)) throw new Refusal(`metric ${one.name}: the name is taken`);
    this.#metrics.set(one.name, new Metric(one));
  }

  add(name: string, value: number, tags: Tags): void {
    this.#metrics.get(name)?.add(value, tags);
  }

  /**
   * The metric of that name. `name{tag:value}` is a part of one, which is measured from now on.
   *
   * @throws {Refusal} if there is none
   */
  find(name: string): Metric {
    const [, base = '', key, value = ''] = /^(\w+)(?:\{([^:]+):([^,]+)\})?$/.exec(name) ?? [];
    const metric = this.#metrics.get(base);
    if (!metric) throw new Refusal(`threshold on ${name}: there is no such metric`);
    if (key === undefined) return metric;
    const part = new Metric({ name, type: metric.type, contains: metric.contains });
    metric.parts.push({ tag: [key, value], metric: part });
    return part;
  }

  /** All metrics, each followed by its parts. */
  all(): Metric[] {
    const partsOf = (one: Metric) => one.parts.map(({ metric }) => metric);
    return [...this.#metrics.values()].flatMap((one) => [one, ...partsOf(one)]);
  }
}
