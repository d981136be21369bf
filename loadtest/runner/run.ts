import type { Group, Summary } from '../lib/summary-data.ts';
import { execute, type Field } from './executors.ts';
import { type Metric, Metrics, STATS } from './metrics.ts';
import type { Iteration, Sample } from './modules/host.ts';
import { lengthOf, mostVUs, type Options, readOptions, type Scenario } from './options.ts';
import { EXIT, Refusal } from './refusal.ts';
import { type Listener, type Program, VirtualUser } from './virtual-user.ts';

/** Milliseconds between two checks of the thresholds that may end the run, as in k6. */
const JUDGE_MS = 2000;
/** Milliseconds that the last iterations of a scenario have after its end: k6's `gracefulStop`. */
const GRACEFUL_STOP_MS = 30_000;
/** Memory of one VU, as measured. */
const VU_BYTES = 14e6;

/** A threshold on a metric. */
interface Threshold {
  metric: Metric;
  source: string;
  abortOnFail: boolean;
  /** Whether it holds, after so many seconds. */
  holds(seconds: number): boolean;
}

export interface RunRequest extends Pick<Program, 'file' | 'env'> {
  isInsecure: boolean;
  log(level: string, text: string): void;
}

/** One run of a script, from its init code to its thresholds. */
export class Run implements Listener {
  /** Iterations in progress, complete and interrupted. */
  readonly counts = { active: 0, complete: 0, interrupted: 0 };
  readonly log: RunRequest['log'];
  /** The number of VUs. */
  vus = 0;
  readonly #request: RunRequest;
  readonly #metrics = new Metrics();
  readonly #checks = newGroup('', '');
  #options!: Options;
  #thresholds!: Threshold[];
  #functions!: string[];
  #sources!: Program['sources'];
  /** Runs setup and handleSummary. */
  #main!: VirtualUser;
  #users: VirtualUser[] = [];
  /** The value that setup returned, as JSON. */
  #setupData: string | undefined;
  /** The exit code, if the run was ended early. */
  #ending: number | undefined;
  #startedAt = 0;
  #endedAt = 0;
  #hasDropped = false;

  constructor(request: RunRequest) {
    this.#request = request;
    this.log = request.log;
  }

  /**
   * Loads the script.
   *
   * @throws {Refusal} if it throws, an option is wrong, or its VUs do not fit the memory
   */
  async prepare(): Promise<void> {
    this.#main = this.#newUser(0, {});
    const loaded = await this.#main.loaded;
    if (!loaded) throw new Refusal('the script has ended the process');
    this.#options = readOptions(loaded.options);
    this.#functions = loaded.functions;
    this.#sources = loaded.sources;
    for (const one of loaded.metrics) this.#metrics.declare(one);
    this.#thresholds = Object.entries(this.#options.thresholds).flatMap(([name, list]) => {
      const metric = this.#metrics.find(name);
      return list.map(({ threshold: source, abortOnFail }) => {
        return { metric, source, abortOnFail, holds: metric.threshold(source) };
      });
    });
    const scenarios = Object.values(this.#options.scenarios);
    const missing = scenarios.find(({ exec }) => !loaded.functions.includes(exec));
    if (missing) throw new Refusal(`the script exports no function ${missing.exec}`);
    this.vus = scenarios.reduce((sum, one) => sum + mostVUs(one), 0);
    const fitting = Math.floor(process.availableMemory() / VU_BYTES);
    if (this.vus <= fitting) return;
    throw new Refusal(`${this.vus} VUs do not fit the memory, only ${fitting}: use fewer, or k6`);
  }

  /** Runs setup and the scenarios. Resolves to k6's exit code for the outcome. */
  async execute(): Promise<number> {
    const scenarios = Object.values(this.#options.scenarios);
    this.#startedAt = performance.now();
    await this.#setUp();
    if (this.#ending === undefined) {
      const length = this.vus;
      this.#users = Array.from({ length }, (_, i) => this.#newUser(i + 1, this.#sources));
      await Promise.all(this.#users.map((user) => user.loaded));
      this.#startedAt = performance.now();
    }
    const judging = setInterval(() => this.#judge(), JUDGE_MS);
    const free = [...this.#users];
    await Promise.all(scenarios.map((one) => this.#play(one, free.splice(0, mostVUs(one)))));
    clearInterval(judging);
    this.#endedAt = performance.now();
    if (this.#ending !== undefined) return this.#ending;
    const crossed = this.#thresholds.filter((one) => !one.holds(this.elapsed / 1000));
    if (crossed.length === 0) return 0;
    const names = new Set(crossed.map(({ metric }) => `'${metric.name}'`));
    this.log('error', `thresholds on metrics ${[...names].join(', ')} have been crossed`);
    return EXIT.thresholds;
  }

  /** Ends the run early: iterations in progress are interrupted. */
  end(exitCode: number, reason: string): void {
    if (this.#ending !== undefined) return;
    this.#ending = exitCode;
    this.log('error', reason);
    for (const user of this.#users) user.interrupt();
  }

  /** Milliseconds since the start, or that the run took. */
  get elapsed(): number {
    return (this.#endedAt || performance.now()) - this.#startedAt;
  }

  /** The texts of the script's `handleSummary` by `stdout`, `stderr` or file. */
  async handleSummary(): Promise<Record<string, string>> {
    const json = JSON.stringify(this.#summary());
    const outcome = await this.#main.call({ name: 'handleSummary', json });
    if (outcome?.json !== undefined) return JSON.parse(outcome.json);
    this.log('error', `handleSummary: ${outcome?.error ?? 'it returned nothing'}`);
    return {};
  }

  #summary(): Summary {
    const seconds = this.elapsed / 1000;
    const metrics: Summary['metrics'] = {};
    for (const metric of this.#metrics.all()) {
      const own = this.#thresholds.filter((one) => one.metric === metric);
      if (metric.isEmpty && own.length === 0) continue;
      const thresholds = own.map((one) => [one.source, { ok: one.holds(seconds) }]);
      const { type, contains } = metric;
      const values = metric.values(seconds);
      metrics[metric.name] = { type, contains, values, thresholds: Object.fromEntries(thresholds) };
    }
    return {
      root_group: this.#checks,
      options: { summaryTrendStats: STATS, summaryTimeUnit: '', noColor: true },
      state: { isStdOutTTY: false, isStdErrTTY: false, testRunDurationMs: this.elapsed },
      metrics,
    };
  }

  samples(samples: Sample[]): void {
    for (const [name, value, tags] of samples) {
      if (name === 'checks') this.#countCheck(tags.group ?? '', tags.check ?? '', value !== 0);
      this.#metrics.add(name, value, tags);
    }
  }

  #newUser(id: number, sources: Program['sources']): VirtualUser {
    const { file, env, isInsecure } = this.#request;
    return new VirtualUser(id, { file, env, sources }, this, isInsecure);
  }

  async #setUp(): Promise<void> {
    if (!this.#functions.includes('setup')) return;
    const outcome = await this.#main.call({ name: 'setup', options: this.#options });
    if (outcome?.error) this.end(EXIT.exception, outcome.error);
    this.#setupData = outcome?.json;
  }

  async #play(scenario: Scenario, users: VirtualUser[]): Promise<void> {
    const [from, startTime, length] = [performance.now(), Date.now(), lengthOf(scenario)];
    const elapsed = () => performance.now() - from;
    let iterationInTest = 0;
    const field: Field = {
      users,
      elapsed,
      isOver: () => this.#ending !== undefined || elapsed() >= length,
      drop: (count) => this.#drop(count),
      iterate: (user) => {
        const iteration = { startTime, iterationInTest: iterationInTest++ };
        return this.#iterate(user, scenario.exec, iteration);
      },
    };
    const interrupt = () => {
      for (const user of users) user.interrupt();
    };
    const grace = setTimeout(interrupt, length + GRACEFUL_STOP_MS);
    await execute(scenario, field);
    clearTimeout(grace);
  }

  async #iterate(user: VirtualUser, name: string, iteration: Iteration): Promise<void> {
    const from = performance.now();
    this.counts.active += 1;
    const iterationOfVu = user.iterationsMade++;
    const call = { name, json: this.#setupData, options: this.#options, iteration, iterationOfVu };
    const outcome = await user.call(call);
    this.counts.active -= 1;
    user.forgetCookies();
    this.counts[outcome ? 'complete' : 'interrupted'] += 1;
    if (!outcome) return;
    if (outcome.error && this.#ending === undefined) this.log('error', outcome.error);
    this.#metrics.add('iterations', 1, {});
    this.#metrics.add('iteration_duration', performance.now() - from, {});
  }

  #drop(count: number): void {
    if (count === 0 || this.#ending !== undefined) return;
    this.#metrics.add('dropped_iterations', count, {});
    if (this.#hasDropped) return;
    this.#hasDropped = true;
    this.log('warn', 'insufficient VUs: iterations are dropped; raise VUS');
  }

  #judge(): void {
    const seconds = this.elapsed / 1000;
    const crossed = this.#thresholds.find(
      ({ abortOnFail, metric, holds }) => abortOnFail && !metric.isEmpty && !holds(seconds),
    );
    if (!crossed) return;
    const { metric, source } = crossed;
    this.end(EXIT.thresholds, `threshold '${source}' on ${metric.name} was crossed; stopping`);
  }

  #countCheck(path: string, name: string, passed: boolean): void {
    let group = this.#checks;
    for (const part of path.split('::').slice(1)) {
      const inner = group.groups.find((one) => one.name === part);
      if (!inner) group.groups.push(newGroup(part, `${group.path}::${part}`));
      group = inner ?? (group.groups.at(-1) as Group);
    }
    const known = group.checks.find((one) => one.name === name);
    if (known) known[passed ? 'passes' : 'fails'] += 1;
    else {
      const path = `${group.path}::${name}`;
      group.checks.push({ name, path, id: path, passes: Number(passed), fails: Number(!passed) });
    }
  }
}

function newGroup(name: string, path: string): Group {
  return { name, path, id: path, groups: [], checks: [] };
}
