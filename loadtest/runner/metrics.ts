import type { Declaration } from './modules/host.ts';
import { Refusal } from './refusal.ts';

/** What labels a sample. */
export type Tags = Record<string, string>;

/** What k6 measures by itself. */
const BUILT_IN: Record<string, [type: Declaration['type'], contains: 'default' | 'time' | 'data']> =
  {
    checks: ['rate', 'default'],
    data_received: ['counter', 'data'],
    data_sent: ['counter', 'data'],
    dropped_iterations: ['counter', 'default'],
    group_duration: ['trend', 'time'],
    http_req_blocked: ['trend', 'time'],
    http_req_connecting: ['trend', 'time'],
    http_req_duration: ['trend', 'time'],
    http_req_failed: ['rate', 'default'],
    http_req_receiving: ['trend', 'time'],
    http_req_sending: ['trend', 'time'],
    http_req_tls_handshaking: ['trend', 'time'],
    http_req_waiting: ['trend', 'time'],
    http_reqs: ['counter', 'default'],
    iteration_duration: ['trend', 'time'],
    iterations: ['counter', 'default'],
    vus: ['gauge', 'default'],
    vus_max: ['gauge', 'default'],
  };

/** Gathers samples, and knows the figures of a metric's type. */
interface Sink {
  add(value: number): void;
  readonly isEmpty: boolean;
  /** A figure by its name in thresholds; `undefined` where no sample has been seen and k6 has none. */
  figure(name: string, seconds: number): number | undefined;
  /** The figures of the summary. */
  figures(trendStats: string[], seconds: number): Record<string, number>;
}

class CounterSink implements Sink {
  #count = 0;
  isEmpty = true;

  add(value: number): void {
    this.#count += value;
    this.isEmpty = false;
  }

  figure(name: string, seconds: number): number {
    return name === 'count' ? this.#count : this.#count / Math.max(seconds, 1e-9);
  }

  figures(_stats: string[], seconds: number) {
    return { count: this.figure('count', seconds), rate: this.figure('rate', seconds) };
  }
}

class GaugeSink implements Sink {
  #value = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  isEmpty = true;

  add(value: number): void {
    this.#value = value;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    this.isEmpty = false;
  }

  figure(): number {
    return this.#value;
  }

  figures() {
    if (this.isEmpty) return { value: 0, min: 0, max: 0 };
    return { value: this.#value, min: this.#min, max: this.#max };
  }
}

class RateSink implements Sink {
  #passes = 0;
  #total = 0;

  add(value: number): void {
    this.#total += 1;
    if (value !== 0) this.#passes += 1;
  }

  get isEmpty(): boolean {
    return this.#total === 0;
  }

  figure(): number | undefined {
    return this.isEmpty ? undefined : this.#passes / this.#total;
  }

  figures() {
    return {
      rate: this.figure() ?? 0,
      passes: this.#passes,
      fails: this.#total - this.#passes,
    };
  }
}

class TrendSink implements Sink {
  #values: number[] = [];
  #sum = 0;
  #isSorted = true;

  add(value: number): void {
    this.#values.push(value);
    this.#sum += value;
    this.#isSorted = false;
  }

  get isEmpty(): boolean {
    return this.#values.length === 0;
  }

  figure(name: string): number {
    if (name === 'count') return this.#values.length;
    if (name === 'avg') return this.isEmpty ? 0 : this.#sum / this.#values.length;
    const percent = { min: 0, med: 50, max: 100 }[name] ?? Number(/^p\((.+)\)$/.exec(name)?.[1]);
    return this.#percentile(percent / 100);
  }

  figures(stats: string[]) {
    return Object.fromEntries(stats.map((name) => [name, this.figure(name)]));
  }

  /** Linear between the two samples next to rank p·(n−1), as k6 has it. */
  #percentile(p: number): number {
    if (this.isEmpty) return 0;
    if (!this.#isSorted) this.#values.sort((a, b) => a - b);
    this.#isSorted = true;
    const rank = p * (this.#values.length - 1);
    const low = this.#values[Math.floor(rank)] ?? 0;
    const high = this.#values[Math.ceil(rank)] ?? low;
    return low + (high - low) * (rank - Math.floor(rank));
  }
}

const SINKS = { counter: CounterSink, gauge: GaugeSink, rate: RateSink, trend: TrendSink };

/** A metric, or the part of it whose samples carry certain tags. */
export class Metric {
  readonly name: string;
  readonly type: Declaration['type'];
  readonly contains: string;
  readonly sink: Sink;
  readonly parts: { tags: [string, string][]; metric: Metric }[] = [];

  constructor(name: string, type: Declaration['type'], contains: string) {
    this.name = name;
    this.type = type;
    this.contains = contains;
    this.sink = new SINKS[type]();
  }

  add(value: number, tags: Tags): void {
    this.sink.add(value);
    for (const { tags: wanted, metric } of this.parts) {
      if (wanted.every(([key, text]) => tags[key] === text)) metric.sink.add(value);
    }
  }
}

/** All metrics of a run. */
export class Metrics {
  #metrics = new Map<string, Metric>();
  /** Told of every sample. */
  readonly #observe: ((metric: Metric, value: number, tags: Tags, at: number) => void) | undefined;

  constructor(observe?: (metric: Metric, value: number, tags: Tags, at: number) => void) {
    this.#observe = observe;
    for (const [name, [type, contains]] of Object.entries(BUILT_IN)) {
      this.#metrics.set(name, new Metric(name, type, contains));
    }
    // Nobody asks for it by a threshold, and every summary shows it.
    this.find('http_req_duration{expected_response:true}');
  }

  /**
   * Adds a metric of the script's own; the same one may be declared again.
   *
   * @throws {Refusal} where there is another one of that name
   */
  declare({ name, type, contains }: Declaration): void {
    const known = this.#metrics.get(name);
    if (known && (known.type !== type || known.contains !== contains)) {
      throw new Refusal(`metric ${name}: there is one already, which is a ${known.type}`);
    }
    if (!known) this.#metrics.set(name, new Metric(name, type, contains));
  }

  add(name: string, value: number, tags: Tags, at = Date.now()): void {
    const metric = this.#metrics.get(name);
    if (!metric) return;
    metric.add(value, tags);
    this.#observe?.(metric, value, tags, at);
  }

  /**
   * The metric of that name; `name{tag:value}` is a part of one, gathered from now on.
   *
   * @throws {Refusal} where there is none
   */
  find(name: string): Metric {
    const [, base = '', inside] = /^([^{]*)(?:\{(.*)\})?$/.exec(name) ?? [];
    const metric = this.#metrics.get(base);
    if (!metric) throw new Refusal(`threshold of ${name}: there is no such metric`);
    if (inside === undefined) return metric;
    const known = metric.parts.find((part) => part.metric.name === name);
    if (known) return known.metric;
    const tags = inside.split(',').map((pair): [string, string] => {
      const [, key, value] = /^\s*["']?([^:"']+)["']?\s*:\s*["']?(.*?)["']?\s*$/.exec(pair) ?? [];
      if (!key || value === undefined) throw new Refusal(`threshold of ${name}: wants {tag:value}`);
      return [key, value];
    });
    const part = new Metric(name, metric.type, metric.contains);
    metric.parts.push({ tags, metric: part });
    return part;
  }

  /** All metrics, each followed by its parts. */
  *all(): Generator<Metric> {
    for (const metric of this.#metrics.values()) {
      yield metric;
      for (const { metric: part } of metric.parts) yield part;
    }
  }
}
