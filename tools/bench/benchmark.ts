import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../lib/errors.mjs';
import { Visitor } from '../lib/visitor.ts';
import { Stack } from '../stack/stack.ts';
import { assertAllOk, type Job, type Load, runAutocannon } from './autocannon.ts';
import { cpuUse } from './cpu-use.ts';
import { lostUpdates, type Measurement, mapCpu, orderOf } from './summary.ts';
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
  const measures: Measure[] = [];
  for (const variant of variants) {
    const { name, program, env, instances: scale, configure } = variant;
    const key = JSON.stringify([program, env, configure?.name]);
    let stack = started.get(key);
    if (!stack) {
      const settings = { ...process.env, NODE_ENV: 'production', ...env };
      stack = stacks.use(await Stack.start({ program, scale, env: settings, report }));
      await configure?.(stack);
      started.set(key, stack);
    }
    measures.push(await warmUp(variant, stack, GENERATORS[generator]));
    report(`${name} is warm`);
  }
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const measure of orderOf(measures, round - 1)) {
      const measurement = await measure(round, seconds);
      const { name, requestsPerSecond } = measurement;
      report(`round ${round}: ${name} ${requestsPerSecond.toFixed(0)} requests/s`);
      measurements.push(measurement);
    }
  }
  return measurements;
}

/** Measures a variant in one round. */
type Measure = (round: number, seconds: number) => Promise<Measurement>;

/** Gets a cookie for each visitor and runs a load. Resolves to the function that measures. */
async function warmUp(variant: Variant, stack: Stack, generate: Generator): Promise<Measure> {
  const { name, path, counts, isCached, isStranger } = variant;
  const body = variant.body && JSON.stringify(variant.body);
  const url = `http://127.0.0.1:${stack.nginx.port}`;
  /** By cookie: all visitors without a cookie share one counter, and count as one visitor. */
  const visitors = new Map<string, Visitor>();

  const ask = async (visitor: Visitor, method = body ? 'POST' : 'GET') => {
    const json = body && { body, headers: { 'content-type': 'application/json' } };
    const { status, body: received } = await visitor.send(path, { method, ...json });
    if (status < 300) return received;
    throw new StackError(`${name}: ${method} ${path} was answered with ${status}`);
  };
  const run = async (seconds: number) => {
    const cookies = isStranger ? [''] : [...visitors.keys()];
    const requests = cookies.map((cookie) => ({ path, cookie, body }));
    const load = await generate({ url, connections: CONNECTIONS, seconds, requests });
    assertAllOk(name, load);
    return load;
  };
  /** The sum of all counters. It counts one more view of each visitor. */
  const countViews = async () => {
    let views = 0;
    for (const visitor of visitors.values()) {
      views += Number(/^Views: (\d+)$/.exec(await ask(visitor))?.[1] ?? 0);
    }
    return views;
  };

  for (let i = 0; i < VISITORS; i += 1) {
    const visitor = new Visitor(url);
    await ask(visitor);
    visitors.set(visitor.cookie, visitor);
  }
  await run(WARM_UP_SECONDS);
  return async (round, seconds) => {
    if (isCached) await ask(new Visitor(url), 'DELETE');
    const before = await countViews();
    const cpuBefore = await cpuUse(stack);
    const { requests, seconds: measured, p50Ms, p99Ms } = await run(seconds);
    await delay(SETTLE_MS);
    const cpuAfter = await cpuUse(stack);
    const after = await countViews();
    return {
      ...{ name, round, requests, requestsPerSecond: requests / measured, p50Ms, p99Ms },
      cpuUs: cpuBefore && cpuAfter && mapCpu((kind) => cpuAfter[kind] - cpuBefore[kind]),
      lost: counts ? lostUpdates(requests, before, after, visitors.size) : undefined,
    };
  };
}
