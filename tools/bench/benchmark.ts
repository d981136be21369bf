import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../lib/errors.ts';
import { assertAllOk, type Job, type Load, runAutocannon } from '../lib/load.ts';
import { groupCpuMs, HAS_PROC, pidsOf } from '../lib/process-use.ts';
import { sum } from '../lib/statistics.ts';
import { Visitor } from '../lib/visitor.ts';
import { Stack } from '../stack/stack.ts';
import { type CpuUse, lostUpdates, type Measurement, mapCpu, orderOf } from './summary.ts';
import type { Variant } from './variants.ts';
import { runWrk } from './wrk.ts';

/** Seconds of load before the first round, so that V8 compiles the busy functions. */
const WARM_UP_SECONDS = 3;
const CONNECTIONS = 64;
/** Each visitor uses several connections at once. */
const VISITORS = 16;
/** Milliseconds in which the work after the last reply ends. */
const SETTLE_MS = 200;

export const GENERATORS = { autocannon: runAutocannon, wrk: runWrk };
type Generator = (job: Job) => Promise<Load>;

/** How all variants are measured. */
export interface BenchmarkOptions {
  rounds: number;
  /** For each measurement. */
  seconds: number;
  generator: keyof typeof GENERATORS;
}

/**
 * Starts all variants, warms each up, and measures them in turn, round by round.
 *
 * @throws {StackError} if a request is not answered with 200
 */
export async function runBenchmark(
  variants: readonly Variant[],
  { rounds, seconds, generator }: BenchmarkOptions,
  report: (line: string) => void,
): Promise<Measurement[]> {
  await using stacks = new AsyncDisposableStack();
  const started = new Map<string, Stack>();
  const runners: Runner[] = [];
  for (const variant of variants) {
    const { name, program, env, instances: scale, configure } = variant;
    const key = JSON.stringify([program, env]);
    let stack = started.get(key);
    if (!stack) {
      const settings = { ...process.env, NODE_ENV: 'production', ...env };
      stack = stacks.use(await Stack.start({ program, scale, env: settings, report }));
      await configure?.(stack);
      started.set(key, stack);
    }
    const runner = new Runner(variant, stack, GENERATORS[generator]);
    await runner.warmUp();
    report(`${name} is warm`);
    runners.push(runner);
  }
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const runner of orderOf(runners, round - 1)) {
      const measurement = await runner.measure(round, seconds);
      const { name, requestsPerSecond } = measurement;
      report(`round ${round}: ${name} ${requestsPerSecond.toFixed(0)} requests/s`);
      measurements.push(measurement);
    }
  }
  return measurements;
}

/** A running variant and its visitors. */
class Runner {
  #variant: Variant;
  #stack: Stack;
  #url: string;
  #generator: Generator;
  /** By cookie: all visitors without a cookie share one counter, and count as one visitor. */
  #visitors = new Map<string, Visitor>();

  constructor(variant: Variant, stack: Stack, generator: Generator) {
    this.#variant = variant;
    this.#stack = stack;
    this.#url = `http://127.0.0.1:${stack.nginx.port}`;
    this.#generator = generator;
  }

  /** Gets a cookie for each visitor, and then runs a load. */
  async warmUp(): Promise<void> {
    for (let i = 0; i < VISITORS; i += 1) {
      const visitor = new Visitor(this.#url);
      await this.#ask(visitor);
      this.#visitors.set(visitor.cookie, visitor);
    }
    await this.#load(WARM_UP_SECONDS);
  }

  async measure(round: number, seconds: number): Promise<Measurement> {
    const { name, counts, isCached } = this.#variant;
    if (isCached) await this.#ask(new Visitor(this.#url), 'DELETE');
    const before = await this.#countViews();
    const cpuBefore = await this.#cpuUse();
    const { requests, seconds: measured, p50Ms, p99Ms } = await this.#load(seconds);
    await delay(SETTLE_MS);
    const cpuAfter = await this.#cpuUse();
    const after = await this.#countViews();
    return {
      ...{ name, round, requests, requestsPerSecond: requests / measured, p50Ms, p99Ms },
      cpuUs: cpuBefore && cpuAfter && mapCpu((kind) => cpuAfter[kind] - cpuBefore[kind]),
      lost: counts ? lostUpdates(requests, before, after, this.#visitors.size) : undefined,
    };
  }

  async #load(seconds: number): Promise<Load> {
    const { name, path } = this.#variant;
    const requests = [...this.#visitors.keys()].map((cookie) => ({ path, cookie }));
    const load = await this.#generator({
      ...{ url: this.#url, connections: CONNECTIONS, seconds, requests },
    });
    assertAllOk(name, load);
    return load;
  }

  /** The sum of all counters. It counts one more view of each visitor. */
  async #countViews(): Promise<number> {
    const views: number[] = [];
    for (const visitor of this.#visitors.values()) {
      views.push(Number(/^Views: (\d+)$/.exec(await this.#ask(visitor))?.[1] ?? 0));
    }
    return sum(views);
  }

  async #ask(visitor: Visitor, method = 'GET'): Promise<string> {
    const { name, path } = this.#variant;
    const { status, body } = await visitor.send(path, { method });
    if (status < 300) return body;
    throw new StackError(`${name}: ${method} ${path} was answered with ${status}`);
  }

  /** The CPU time that the processes have used so far. */
  async #cpuUse(): Promise<CpuUse | undefined> {
    if (!HAS_PROC) return undefined;
    const { instances, nginx, redis } = this.#stack;
    const [app = [], proxy = [], store = []] = await Promise.all(
      [instances, [nginx], [redis]].map(pidsOf),
    );
    const us = (pids: number[]) => sum(pids.map(groupCpuMs)) * 1000;
    return { instances: us(app), nginx: us(proxy), redis: us(store) };
  }
}
