import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../lib/eventually.ts';
import { type Use, usesOf } from '../lib/process-use.ts';
import { Random } from '../lib/random.ts';
import { Stack, type StackOptions } from '../stack/stack.ts';
import { auditAll, staleReplies } from './audit-log.ts';
import { Customers } from './customers.ts';
import { type Final, isFailed, Load, type LoadOptions, type Outcome, SESSIONS } from './load.ts';

/** The most megabytes by which a fault may grow an instance. */
const GROWTH_MB = 50;
/** The stalls of the load, in milliseconds, that are worth a note. */
const STALL_MS = 100;

/** How to run a scenario. */
export interface Options {
  seed: number;
  /** The shortest run that still shows the fault. */
  short: boolean;
  /** More settings of the instances: a wrong one, to check that a scenario notices it. */
  env?: NodeJS.ProcessEnv;
}

export interface Result {
  name: string;
  requests: number;
  failed: number;
  lost: number;
  countedTwice: number;
  slowestMs: number;
  /** Requirements that were not met. */
  breaches: string[];
  /** Other measurements. */
  notes: string[];
}

/** One kind of fault, and the requirements under it. */
export interface Scenario {
  name: string;
  /** The requirement, as the rest of a sentence that begins with "should". */
  should: string;
  /** The scenario has no short form. */
  isLong?: boolean;
  /** Settings of the instances. */
  env?: NodeJS.ProcessEnv;
  /** Why it cannot run on this machine; `undefined` if it can. */
  missing?: string | undefined;
  /** How Redis runs; one process by default. */
  redis?: NonNullable<StackOptions['redis']>;
  /** Tells whether a request may fail as this outcome shows; without it no request may fail. */
  mayFail?: (failure: Outcome) => boolean;
  /** Injects the fault under load and checks what is particular to it. */
  run(environment: Environment): Promise<void>;
}

/** Runs a scenario on a fresh stack, and compares all replies with the state in Redis. */
export async function runScenario(scenario: Scenario, options: Options): Promise<Result> {
  const env = { ...process.env, ...scenario.env, ...options.env };
  const { redis = 'single' } = scenario;
  await using stack = await Stack.start({ env, redis });
  await using environment = new Environment(stack, options);
  await scenario.run(environment);
  return await environment.settle(scenario);
}

/** A stack, the load on it, and the findings. */
export class Environment implements AsyncDisposable {
  readonly stack: Stack;
  readonly random: Random;
  /** Disposed at the end, after the audit. */
  readonly resources = new AsyncDisposableStack();
  #isShort: boolean;
  #load: Load | undefined;
  #customers: Customers | undefined;
  #breaches: string[] = [];
  #notes: string[] = [];
  #mayBeLost: (outcome: Outcome) => boolean = () => false;
  #stalls = monitorEventLoopDelay({ resolution: 10 });

  constructor(stack: Stack, { seed, short }: Options) {
    this.stack = stack;
    this.random = new Random(seed);
    this.#isShort = short;
  }

  /** A number of milliseconds or repetitions, for the long or the short form. */
  amount(long: number, short: number): number {
    return this.#isShort ? short : long;
  }

  async startLoad(options?: LoadOptions): Promise<void> {
    this.#stalls.enable();
    this.#load = await Load.start(this.stack.url, this.random, options);
  }

  /** Adds customers to the load, which log in and out. */
  startCustomers(): Customers {
    this.#customers = new Customers(this.stack.url, SESSIONS, this.random);
    return this.#customers;
  }

  async stopLoad(): Promise<void> {
    await Promise.all([this.#load?.stop(), this.#customers?.stop()]);
    this.#stalls.disable();
  }

  /** Lets the load continue for some milliseconds. */
  async wait(longMs: number, shortMs: number): Promise<void> {
    await delay(this.amount(longMs, shortMs));
  }

  /**
   * Repeats `work` for `totalMs`, at most once in `everyMs`.
   *
   * @returns the number of repetitions
   */
  async repeat(totalMs: number, everyMs: number, work: () => Promise<void>): Promise<number> {
    const until = performance.now() + totalMs;
    let count = 0;
    for (; performance.now() < until; count += 1) {
      await Promise.all([work(), delay(Math.min(everyMs, until - performance.now()))]);
    }
    return count;
  }

  get outcomes(): Outcome[] {
    return [...(this.#load?.outcomes ?? []), ...(this.#customers?.outcomes ?? [])];
  }

  get failures(): Outcome[] {
    return this.outcomes.filter(isFailed);
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  /** Records a breach if `holds` is false. */
  require(holds: boolean, breach: string): void {
    if (!holds) this.#breaches.push(breach);
  }

  /** Records a breach if there are any of these outcomes. */
  requireNone(outcomes: Outcome[], what: string): void {
    this.require(outcomes.length === 0, `${outcomes.length} ${what}: ${kinds(outcomes)}`);
  }

  /** Records a breach if `check` still throws after `ms` milliseconds. */
  async requireWithin(ms: number, what: string, check: () => unknown): Promise<void> {
    try {
      await eventually(check, ms);
    } catch (err) {
      this.#breaches.push(`${what} not within ${ms} ms: ${(err as Error).message}`);
    }
  }

  requireFasterThan(ms: number): void {
    const slow = this.outcomes.filter((outcome) => outcome.ms > ms);
    this.requireNone(slow, `slower than ${ms} ms`);
  }

  /** Compares the memory of the instances with an earlier one. */
  async requireSteadyMemory(before: Use[]): Promise<void> {
    const after = await usesOf(this.stack.instances);
    const growth = after.map(({ rssMb }, i) => rssMb - (before[i]?.rssMb ?? 0));
    this.require(Math.max(0, ...growth) < GROWTH_MB, `RSS grew by ${growth.join('/')} MB`);
  }

  /** Allows the loss of updates that were answered in the last second before now. */
  allowLossOfLastSecond(): void {
    const before = this.#mayBeLost;
    const now = performance.now();
    this.#mayBeLost = (outcome) => {
      const answeredAt = outcome.from + outcome.ms;
      return before(outcome) || (answeredAt > now - 1000 && answeredAt < now);
    };
  }

  /** Ends the load, audits all counters, and sums up. */
  async settle({ name, mayFail = () => false }: Scenario): Promise<Result> {
    await this.stopLoad();
    const { outcomes, failures } = this;
    const finals: (Final | undefined)[] = await eventually(async () => this.#load?.finals() ?? []);
    if (this.#customers) {
      finals.push(...(await this.#customers.finals()));
      this.#breaches.push(...this.#customers.breaches);
      this.note(this.#customers.summary);
    }
    const { lost, countedTwice } = auditAll(outcomes, finals, this.#mayBeLost);
    this.require(lost === 0, `${lost} lost`);
    this.require(countedTwice === 0, `${countedTwice} counted twice`);
    const unexplained = failures.filter((failure) => !mayFail(failure));
    this.requireNone(unexplained, 'failed');
    const elsewhere = outcomes.filter(({ isOtherSession }) => isOtherSession);
    this.requireNone(elsewhere, 'replies of another session');
    this.requireNone(staleReplies(outcomes, this.#mayBeLost), 'stale');
    const odd = outcomes.filter((outcome) => {
      const success = ['DELETE /data', 'POST /logout'].includes(outcome.request) ? 204 : 200;
      return outcome.status !== success && !isFailed(outcome);
    });
    this.requireNone(odd, 'unexpected replies');
    const stallMs = Math.round(this.#stalls.max / 1e6);
    if (stallMs > STALL_MS) this.note(`the load itself stalled for up to ${stallMs} ms`);
    return {
      ...{ name, requests: outcomes.length, failed: failures.length, lost, countedTwice },
      slowestMs: slowestOf(outcomes),
      breaches: this.#breaches,
      notes: this.#notes,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopLoad();
    await this.resources.disposeAsync();
  }
}

/** In milliseconds. */
export function slowestOf(outcomes: readonly Outcome[]): number {
  return Math.round(outcomes.reduce((slowest, { ms }) => Math.max(slowest, ms), 0));
}

/** The number of outcomes of each kind, and the slowest: `12 x POST /cart 502 (40 ms)`. */
function kinds(outcomes: Outcome[]): string {
  const groups = Map.groupBy(outcomes, ({ request, status, error, retryAfter }) =>
    [request, error ?? status, status === 503 && !retryAfter ? 'without Retry-After' : '']
      .filter(Boolean)
      .join(' '),
  );
  return [...groups]
    .map(([kind, its]) => `${its.length} x ${kind} (${slowestOf(its)} ms)`)
    .join(', ');
}
