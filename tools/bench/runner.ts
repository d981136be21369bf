import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../lib/errors.ts';
import { Visitor } from '../lib/visitor.ts';
import type { ManagedProcess } from '../stack/managed-process.ts';
import type { Contestant } from './contestants.ts';
import { cpuTimes } from './cpu.ts';
import { type CpuUse, cpuBetween, lostUpdates, type Measurement, sum } from './figures.ts';
import type { Job, Load } from './load.ts';
import type { Site } from './site.ts';

/** Each of them uses several connections at once. */
const VISITORS = 16;
/** Milliseconds in which is done what nobody waits for at the end of a load. */
const SETTLE_MS = 200;

/** A contestant that runs, and its visitors. */
export class Runner {
  readonly contestant: Contestant;
  #site: Site;
  #url: string;
  #putLoad: (job: Job) => Promise<Load>;
  /** By cookie. Those without one are one visitor, with one counter. */
  #visitors = new Map<string, Visitor>();

  constructor(contestant: Contestant, site: Site, putLoad: (job: Job) => Promise<Load>) {
    this.contestant = contestant;
    this.#site = site;
    this.#url = `http://127.0.0.1:${site.nginx.port}`;
    this.#putLoad = putLoad;
  }

  /** Has each visitor get its cookie, and then puts a load on. */
  async warmUp(seconds: number): Promise<void> {
    for (let i = 0; i < VISITORS; i += 1) {
      const visitor = new Visitor(this.#url);
      await this.#ask(visitor);
      this.#visitors.set(visitor.cookie, visitor);
    }
    await this.#load(seconds);
  }

  /**
   * Puts a load on and says what came of it.
   *
   * @throws {StackError} where a reply is not 200, or there is none
   */
  async measure(round: number, seconds: number): Promise<Measurement> {
    const { name, counts, isCached } = this.contestant;
    if (isCached) await this.#ask(new Visitor(this.#url), 'DELETE');
    const before = await this.#countViews();
    const cpuBefore = await this.#cpuUse();
    const load = await this.#load(seconds);
    await delay(SETTLE_MS);
    const cpuAfter = await this.#cpuUse();
    const after = await this.#countViews();
    const { requests, p50Ms, p99Ms } = load;
    return {
      name,
      round,
      requests,
      requestsPerSecond: requests / load.seconds,
      p50Ms,
      p99Ms,
      cpuUs: cpuBefore && cpuAfter && cpuBetween(cpuBefore, cpuAfter),
      lost: counts ? lostUpdates(requests, before, after, this.#visitors.size) : undefined,
    };
  }

  async #load(seconds: number): Promise<Load> {
    const { name, path } = this.contestant;
    const cookies = [...this.#visitors.keys()].filter(Boolean);
    const load = await this.#putLoad({ url: this.#url + path, seconds, cookies });
    const { requests, others, errors } = load;
    if (requests > 0 && others + errors === 0) return load;
    throw new StackError(
      `${name}: besides ${requests} replies with 200 there were ${others} with another status ` +
        `and ${errors} connection errors or timeouts`,
    );
  }

  /** The sum of all counters, by one more request to each. */
  async #countViews(): Promise<number> {
    const views: number[] = [];
    for (const visitor of this.#visitors.values()) {
      views.push(Number(/^Views: (\d+)$/.exec(await this.#ask(visitor))?.[1] ?? 0));
    }
    return sum(views);
  }

  async #ask(visitor: Visitor, method = 'GET'): Promise<string> {
    const { name, path } = this.contestant;
    const { status, body } = await visitor.send(path, { method });
    if (status < 300) return body;
    throw new StackError(`${name}: ${method} ${path} was answered with ${status}`);
  }

  /** What its processes have taken so far. */
  async #cpuUse(): Promise<CpuUse | undefined> {
    const { instances, nginx, redis } = this.#site;
    const times = cpuTimes();
    const of = async (...parts: ManagedProcess[]) => {
      const statuses = await Promise.all(parts.map((part) => part.status()));
      return sum(statuses.map(({ pid }) => times?.get(pid ?? 0) ?? 0));
    };
    return (
      times && { instances: await of(...instances), nginx: await of(nginx), redis: await of(redis) }
    );
  }
}
