import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Summary } from '../lib/summary-data.ts';
import { Checks } from './checks.ts';
import { execute, type Field } from './executors.ts';
import { type Exchange, INVALID_URL } from './http-client.ts';
import { Metrics, type Tags } from './metrics.ts';
import type { Sample } from './modules/host.ts';
import type { Outgoing } from './modules/http.ts';
import {
  lengthOf,
  mostVUs,
  type Options,
  type Overrides,
  readOptions,
  type Scenario,
} from './options.ts';
import type { JsonOutput } from './output.ts';
import { readProgram, readThread } from './program.ts';
import { EXIT, Refusal } from './refusal.ts';
import { failedEarly, readThresholds, type Threshold } from './thresholds.ts';
import { type Listener, type Program, VirtualUser } from './virtual-user.ts';

/** Milliseconds between two looks at the thresholds that may end the run, as in k6. */
const JUDGE_MS = 2000;

/** What a run is made of. */
export interface RunRequest {
  file: string;
  /** `__ENV`. */
  env: Record<string, string>;
  overrides: Overrides;
  output?: JsonOutput | undefined;
  /** Says what happens; `fromScript` where the script says it. */
  log(level: string, text: string, fromScript?: boolean): void;
}

/** One run of a script, from its init code to its thresholds. */
export class Run implements Listener {
  readonly #request: RunRequest;
  readonly #program: Program;
  readonly #metrics: Metrics;
  readonly #checks = new Checks();
  /** The VU that is none of the scenarios': it runs setup, teardown and handleSummary. */
  readonly #main: VirtualUser;
  #users: VirtualUser[] = [];
  #free: VirtualUser[] = [];
  #options!: Options;
  #thresholds!: Threshold[];
  #functions!: string[];
  #setupData: unknown;
  readonly #over = new AbortController();
  /** Why it ended before its time, and with which exit code. */
  #ending: { exitCode: number; reason: string } | undefined;
  #startedAt: number | undefined;
  #endedAt: number | undefined;
  #mostActive = 0;
  /** Iterations under way, ended, and interrupted. */
  readonly counts = { active: 0, complete: 0, interrupted: 0 };

  /**
   * Reads the script, runs its init code once, and refuses what cannot be had.
   *
   * @throws {Refusal}
   */
  static async prepare(request: RunRequest): Promise<Run> {
    const { file, env } = request;
    const [code, thread] = await Promise.all([readProgram(file), readThread()]);
    const run = new Run(request, { code, thread, file: resolve(file), env });
    try {
      await run.#configure();
      return run;
    } catch (err) {
      run.close();
      throw err;
    }
  }

  private constructor(request: RunRequest, program: Program) {
    const { output } = request;
    this.#request = request;
    this.#program = program;
    this.#metrics = new Metrics(
      output && ((metric, value, tags, at) => output.point(metric, value, tags, at)),
    );
    this.#main = new VirtualUser(0, this.#program, this);
  }

  async #configure(): Promise<void> {
    const declarations = await this.#main.start();
    if (!declarations) throw new Refusal(this.#ending?.reason ?? '', this.#ending?.exitCode);
    const { options, functions, metrics } = declarations;
    this.#functions = functions;
    this.#options = readOptions(options, this.#request.overrides);
    for (const declared of metrics) this.#metrics.declare(declared);
    this.#thresholds = readThresholds(this.#options, this.#metrics);
    for (const [name, { exec }] of Object.entries(this.#options.scenarios)) {
      if (functions.includes(exec)) continue;
      throw new Refusal(`options.scenarios.${name}: the script exports no function ${exec}`);
    }
  }

  /** Starts as many VUs as the scenarios can need at one time. */
  async makeUsers(): Promise<void> {
    const count = mostAtOnce(Object.values(this.#options.scenarios));
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    this.#users = ids.map((id) => new VirtualUser(id, this.#program, this));
    await Promise.all(this.#users.map((user) => user.start()));
    this.#free = [...this.#users];
  }

  /** Runs setup, the scenarios and teardown; resolves to k6's exit code for what came of it. */
  async execute(): Promise<number> {
    this.#startedAt = performance.now();
    const watches = [setInterval(() => this.#countUsers(), 1000)];
    watches.push(setInterval(() => this.#judge(), JUDGE_MS));
    if (!this.#ending && (await this.#stage('setup', EXIT.setupTimeout))) {
      const { scenarios } = this.#options;
      await Promise.all(Object.entries(scenarios).map(([name, one]) => this.#play(name, one)));
      await this.#stage('teardown', EXIT.teardownTimeout);
    }
    for (const watch of watches) clearInterval(watch);
    this.#endedAt = performance.now();
    const failed = this.#thresholds.filter((one) => !one.holds(this.elapsed / 1000));
    if (this.#ending) return this.#ending.exitCode;
    if (failed.length === 0) return 0;
    const names = new Set(failed.map(({ metric }) => `'${metric.name}'`));
    this.#request.log('error', `thresholds on metrics ${[...names].join(', ')} have been crossed`);
    return EXIT.thresholds;
  }

  /** Ends the run before its time: iterations under way are interrupted. */
  end(exitCode: number, reason: string): void {
    if (this.#ending) return;
    this.#ending = { exitCode, reason };
    if (this.#startedAt !== undefined) this.#request.log('error', reason);
    this.#over.abort();
    for (const user of [this.#main, ...this.#users]) user.interrupt();
  }

  close(): void {
    for (const user of [this.#main, ...this.#users]) user.close();
  }

  /** Milliseconds since it began, or that it took. */
  get elapsed(): number {
    const end = this.#endedAt ?? performance.now();
    return end - (this.#startedAt ?? end);
  }

  get users(): number {
    return this.#users.length;
  }

  /** What the script makes of the summary: texts by `stdout`, `stderr` or file; maybe nothing. */
  async handleSummary(data: Summary): Promise<Record<string, string> | undefined> {
    if (!this.#functions.includes('handleSummary')) return undefined;
    const outcome = await this.#main.call({ name: 'handleSummary', args: [data] });
    if (outcome?.value !== undefined) return JSON.parse(outcome.value);
    this.#request.log('error', `handleSummary: ${outcome?.error ?? 'it returned nothing'}`);
    return undefined;
  }

  /** What `handleSummary` is given. */
  summary(): Summary {
    const stats = this.#options.summaryTrendStats;
    const seconds = this.elapsed / 1000;
    const metrics: Summary['metrics'] = {};
    for (const { name, type, contains, sink } of this.#metrics.all()) {
      const own = this.#thresholds.filter(({ metric }) => metric.name === name);
      if (sink.isEmpty && own.length === 0) continue;
      const thresholds = own.map((one) => [one.source, { ok: one.holds(seconds) }]);
      metrics[name] = {
        type,
        contains: contains as Summary['metrics'][string]['contains'],
        values: sink.figures(stats, seconds),
        ...(own.length > 0 && { thresholds: Object.fromEntries(thresholds) }),
      };
    }
    return {
      root_group: this.#checks.root,
      options: { summaryTrendStats: stats, summaryTimeUnit: '', noColor: !process.stdout.isTTY },
      state: {
        isStdOutTTY: Boolean(process.stdout.isTTY),
        isStdErrTTY: Boolean(process.stderr.isTTY),
        testRunDurationMs: this.elapsed,
      },
      metrics,
      ...(this.#setupData !== undefined && { setup_data: this.#setupData }),
    };
  }

  // What the VUs tell.

  samples(samples: Sample[], tags: Tags): void {
    for (const [name, value, own, at] of samples) {
      if (name === 'checks') this.#checks.add(own.group ?? '', own.check ?? '', value !== 0);
      this.#metrics.add(name, value, { ...tags, ...own }, at);
    }
  }

  exchange({ method, reply, bytes }: Exchange, request: Outgoing, scenarioTags: Tags): void {
    const { url, status, proto, error, error_code, timings } = reply;
    const isExpected = status >= 200 && status < 400;
    if (error) this.#request.log('warning', `Request Failed error="${method} ${url}: ${error}"`);
    if (error_code === INVALID_URL) return; // nothing was sent
    const tags: Tags = {
      ...scenarioTags,
      ...{ method, name: url, proto, status: String(status) },
      expected_response: String(isExpected),
      ...(error_code > 0 && { error_code: String(error_code) }),
      ...request.tags,
    };
    tags.url = tags.name ?? url; // a name stands for many addresses
    const at = Date.now();
    const add = (name: string, value: number) => this.#metrics.add(name, value, tags, at);
    add('http_reqs', 1);
    add('http_req_failed', isExpected ? 0 : 1);
    for (const [name, ms] of Object.entries(timings)) add(`http_req_${name}`, ms);
    add('data_sent', bytes.sent);
    add('data_received', bytes.received);
  }

  log(level: string, text: string): void {
    this.#request.log(level, text, true);
  }

  abort(reason: string): void {
    this.end(EXIT.aborted, `test aborted: ${reason}`);
  }

  refuse(what: string): void {
    this.end(EXIT.configuration, `this runner lacks ${what}`);
  }

  open(path: string): string {
    return readFileSync(resolve(dirname(this.#program.file), path), 'utf8');
  }

  // Its stages.

  /** Runs `setup` or `teardown`, where the script has one; false where the run ends there. */
  async #stage(name: 'setup' | 'teardown', timeoutCode: number): Promise<boolean> {
    if (!this.#functions.includes(name)) return true;
    const ms = this.#options[`${name}Timeout`];
    const late = () => this.end(timeoutCode, `${name}() has not ended within ${ms} ms`);
    const timer = setTimeout(late, ms);
    const outcome = await this.#main.call({ name, args: this.#args() });
    clearTimeout(timer);
    if (outcome?.error) this.end(EXIT.exception, outcome.error);
    if (name === 'setup' && outcome?.value) this.#setupData = JSON.parse(outcome.value);
    return outcome !== undefined && outcome.error === undefined;
  }

  #args(): unknown[] {
    return this.#setupData === undefined ? [] : [this.#setupData];
  }

  async #play(name: string, scenario: Scenario): Promise<void> {
    const { signal } = this.#over;
    await delay(scenario.startTime, undefined, { signal }).catch(() => {});
    const users = this.#free.splice(0, mostVUs(scenario));
    const [from, scenarioStart, length] = [performance.now(), Date.now(), lengthOf(scenario)];
    const elapsed = () => performance.now() - from;
    const tags = { ...scenario.tags, scenario: name };
    let iterationInTest = 0;
    const field: Field = {
      users,
      elapsed,
      isOver: () => signal.aborted || elapsed() >= length,
      drop: (count) => this.#metrics.add('dropped_iterations', count, tags),
      iterate: (user) => {
        const about = { scenario: name, scenarioStart, iterationInTest: iterationInTest++ };
        return this.#iterate(user, scenario.exec, about, tags);
      },
    };
    const interrupt = () => {
      for (const user of users) user.interrupt();
    };
    const grace = setTimeout(interrupt, length + scenario.gracefulStop);
    await execute(scenario, field);
    clearTimeout(grace);
    this.#free.push(...users);
  }

  async #iterate(
    user: VirtualUser,
    name: string,
    about: { scenario: string; scenarioStart: number; iterationInTest: number },
    tags: Tags,
  ): Promise<void> {
    const iterationInScenario = user.iterations.get(about.scenario) ?? 0;
    user.iterations.set(about.scenario, iterationInScenario + 1);
    user.tags = tags;
    const iteration = { ...about, iterationInScenario };
    const from = performance.now();
    this.counts.active += 1;
    if (this.counts.active > this.#mostActive) {
      this.#mostActive = this.counts.active;
      this.#countUsers(); // a short run has no other sample of it
    }
    const iterationOfVu = user.iterationsMade++;
    const outcome = await user.call({ name, args: this.#args(), iteration, iterationOfVu });
    this.counts.active -= 1;
    if (!this.#options.noCookiesReset) user.forgetCookies();
    if (!outcome) {
      this.counts.interrupted += 1;
      return;
    }
    this.counts.complete += 1;
    if (outcome.error) this.#request.log('error', outcome.error);
    this.#metrics.add('iterations', 1, tags);
    this.#metrics.add('iteration_duration', performance.now() - from, tags);
  }

  #countUsers(): void {
    this.#metrics.add('vus', this.counts.active, {});
    this.#metrics.add('vus_max', this.#users.length, {});
  }

  #judge(): void {
    const [failed] = failedEarly(this.#thresholds, this.elapsed);
    if (!failed) return;
    const { metric, source } = failed;
    this.end(EXIT.thresholds, `threshold ${metric.name}: ${source} does not hold; run aborted`);
  }
}

/** The most VUs that scenarios can need at one time. */
function mostAtOnce(scenarios: Scenario[]): number {
  const endOf = (one: Scenario) => one.startTime + lengthOf(one) + one.gracefulStop;
  const needAt = (ms: number) =>
    scenarios
      .filter((one) => one.startTime <= ms && ms <= endOf(one))
      .reduce((sum, one) => sum + mostVUs(one), 0);
  return Math.max(...scenarios.map(({ startTime }) => needAt(startTime)));
}
