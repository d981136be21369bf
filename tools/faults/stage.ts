import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../lib/eventually.ts';
import { Stack } from '../stack/stack.ts';
import { settle } from './ledger.ts';
import { isFailed, Load, type Outcome } from './load.ts';
import { Random } from './random.ts';

/** How a scenario is to be run. */
export interface Options {
  seed: number;
  /** As short as it can be and still show its fault. */
  short: boolean;
  /** Settings of the instances besides: a wrong one, to see that the fault shows. */
  env?: NodeJS.ProcessEnv;
}

/** What came of a scenario. */
export interface Result {
  name: string;
  requests: number;
  failed: number;
  lost: number;
  doubled: number;
  slowestMs: number;
  /** What was required and not met. */
  breaches: string[];
  /** What was measured besides. */
  notes: string[];
}

/** One kind of fault, and what must hold under it. */
export interface Scenario {
  name: string;
  /** The requirement, as the rest of a sentence that begins with "should". */
  should: string;
  /** It cannot be shown in short. */
  isLong?: boolean;
  run(options: Options): Promise<Result>;
}

/** A fresh stack with a load on it, and what is found there. */
export class Stage implements AsyncDisposable {
  readonly stack: Stack;
  readonly random: Random;
  #name: string;
  #short: boolean;
  #load: Load | undefined;
  #breaches: string[] = [];
  #notes: string[] = [];
  #mayBeLost: (outcome: Outcome) => boolean = () => false;
  #stalls = monitorEventLoopDelay({ resolution: 10 });

  /** Starts the stack, with `env` for its instances, but not yet the load. */
  static async open(name: string, options: Options, env: NodeJS.ProcessEnv = {}): Promise<Stage> {
    const stack = await Stack.start({ env: { ...process.env, ...env, ...options.env } });
    return new Stage(name, options, stack);
  }

  private constructor(name: string, { seed, short }: Options, stack: Stack) {
    this.#name = name;
    this.#short = short;
    this.stack = stack;
    this.random = new Random(seed);
  }

  /** Milliseconds, or a number of times, for the long form or the short one. */
  amount(long: number, short: number): number {
    return this.#short ? short : long;
  }

  async startLoad(): Promise<void> {
    this.#stalls.enable();
    this.#load = await Load.start(this.stack.url, this.random);
  }

  async stopLoad(): Promise<void> {
    await this.#load?.stop();
    this.#stalls.disable();
  }

  /** Lets the load go on for a while. */
  async goOn(longMs: number, shortMs: number): Promise<void> {
    await delay(this.amount(longMs, shortMs));
  }

  get outcomes(): readonly Outcome[] {
    return this.#load?.outcomes ?? [];
  }

  get failures(): Outcome[] {
    return this.outcomes.filter(isFailed);
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  /** Records a breach where `holds` is false. */
  require(holds: boolean, breach: string): void {
    if (!holds) this.#breaches.push(breach);
  }

  /** Records a breach where `check` still throws after `ms` milliseconds. */
  async requireWithin(ms: number, what: string, check: () => unknown): Promise<void> {
    try {
      await eventually(check, ms);
    } catch (err) {
      this.#breaches.push(`${what} not within ${ms} ms: ${(err as Error).message}`);
    }
  }

  requireNoFailure(which: (outcome: Outcome) => boolean = () => true): void {
    const failures = this.failures.filter(which);
    this.require(failures.length === 0, `${failures.length} failed: ${kinds(failures)}`);
  }

  requireFasterThan(ms: number, which: (outcome: Outcome) => boolean = () => true): void {
    const slow = this.outcomes.filter((outcome) => outcome.ms > ms && which(outcome));
    this.require(slow.length === 0, `${slow.length} slower than ${ms} ms: ${kinds(slow)}`);
  }

  /** What was answered with success in the time before `at` (performance.now()) may be lost. */
  allowLoss(at: number, beforeMs: number): void {
    const before = this.#mayBeLost;
    this.#mayBeLost = (outcome) => {
      const answeredAt = outcome.from + outcome.ms;
      return before(outcome) || (answeredAt > at - beforeMs && answeredAt < at);
    };
  }

  /** Ends the load, compares what was answered with what is stored, and sums up. */
  async settle(): Promise<Result> {
    await this.stopLoad();
    const outcomes = [...this.outcomes];
    const finals = await eventually(async () => this.#load?.finals() ?? []);
    const { lost, doubled } = settle(outcomes, finals, this.#mayBeLost);
    this.require(lost === 0, `${lost} lost`);
    this.require(doubled === 0, `${doubled} doubled`);
    const elsewhere = outcomes.filter(({ isOtherSession }) => isOtherSession);
    this.require(elsewhere.length === 0, `${elsewhere.length} replies of another session`);
    const odd = outcomes.filter((outcome) => outcome.status !== 200 && !isFailed(outcome));
    this.require(odd.length === 0, `${odd.length} replies that nobody expects: ${kinds(odd)}`);
    const stallMs = Math.round(this.#stalls.max / 1e6);
    if (stallMs > 100) this.note(`the load itself stalled for up to ${stallMs} ms`);
    return {
      name: this.#name,
      requests: outcomes.length,
      failed: outcomes.filter(isFailed).length,
      lost,
      doubled,
      slowestMs: Math.round(outcomes.reduce((slowest, { ms }) => Math.max(slowest, ms), 0)),
      breaches: this.#breaches,
      notes: this.#notes,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopLoad();
    await this.stack.close();
  }
}

/** How many there are of each kind, and the slowest of it: `12 x POST /cart 502 (40 ms)`. */
export function kinds(outcomes: Outcome[]): string {
  const groups = Map.groupBy(outcomes, ({ request, status, error, retryAfter }) =>
    [request, error ?? status, status === 503 && !retryAfter ? 'without Retry-After' : '']
      .filter(Boolean)
      .join(' '),
  );
  return [...groups]
    .map(
      ([kind, of]) => `${of.length} x ${kind} (${Math.round(Math.max(...of.map((o) => o.ms)))} ms)`,
    )
    .join(', ');
}
