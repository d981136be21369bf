import { setTimeout as delay } from 'node:timers/promises';
import { Audience } from './audience.ts';
import type { Config } from './config.ts';
import type { EventStream, Subscriber } from './event-stream.ts';
import { Instances } from './instances.ts';
import type { Hello, Overview, Participant, Tick } from './protocol.ts';
import { type DashboardRedis, FIRST_POLL } from './scripts.ts';

/** Milliseconds between two polls of Redis, each followed by a tick. */
const TICK_MS = 500;
const TICKS_PER_SCRAPE = 2;
/** A tick waits for its poll, but not longer. */
const POLL_PATIENCE_MS = 200;
/** A client of `GET /dashboard/instances` counts as watching for this time. */
const WATCH_MS = 3000;
/** If Redis has not answered for so long, its last answer is outdated. */
const REACHABLE_MS = 1500;

/** What a monitor shows besides what it finds, and where it sends it. */
export interface MonitorOptions {
  config: Config;
  instance: { name: string };
  redis: DashboardRedis;
  stream: EventStream;
}

/** Observes Redis and all instances while somebody watches; does nothing otherwise. */
export class Monitor {
  #options: MonitorOptions;
  #instances = new Instances();
  #audience = new Audience();
  #isActive = false;
  #watchedUntil = 0;
  #ticks = 0;
  /** Participants whose stream is about to open. */
  #joining = new Set<Participant>();
  #lastPoll: Promise<void> = Promise.resolve();
  #nextPoll: Promise<void> | undefined;
  #answeredAt = -Infinity;
  #pollState = FIRST_POLL;
  #found = { operationsPerSecond: 0, memoryBytes: 0, sessions: 0 };
  #sessionsSoFar = 0;
  #dataMadeAt: number | undefined;

  constructor(options: MonitorOptions) {
    this.#options = options;
    setInterval(() => void this.#tick(), TICK_MS).unref();
  }

  /** Watches for the next seconds. Resolves to a state that is up to date. */
  async watch(): Promise<void> {
    this.#watchedUntil = performance.now() + WATCH_MS;
    const isFirst = !this.#isActive;
    await this.poll();
    if (isFirst) await this.#instances.scrape();
  }

  /** Polls for a page that is about to connect, and adds it to the audience. */
  async join(subscriber: Subscriber): Promise<void> {
    if (subscriber) this.#joining.add(subscriber);
    await Promise.race([this.poll(), delay(POLL_PATIENCE_MS)]);
    if (subscriber) this.#joining.delete(subscriber);
  }

  /** Resolves after a poll that begins now or later. Never rejects. */
  poll(): Promise<void> {
    this.#nextPoll ??= this.#lastPoll.then(() => {
      this.#nextPoll = undefined;
      this.#lastPoll = this.#poll();
      return this.#lastPoll;
    });
    return this.#nextPoll;
  }

  view(): Overview {
    const { FAULT_INJECTION, PRESENTER_KEY } = this.#options.config;
    const ageMs = this.#dataMadeAt === undefined ? null : Date.now() - this.#dataMadeAt;
    return {
      instances: this.#instances.views(),
      redis: {
        reachable: this.#isRedisReachable,
        ...this.#found,
        dataAgeSeconds: ageMs === null ? null : Math.max(0, Math.floor(ageMs / 1000)),
      },
      latency: this.#instances.latency(),
      cache: this.#instances.cache(),
      audience: this.#audience.totals(),
      switches: this.#instances.switches,
      faults: {
        enabled: FAULT_INJECTION === 'on',
        needsKey: PRESENTER_KEY !== undefined,
        origin: this.#instances.origin,
      },
    };
  }

  /** @param subscriber the page that it is for */
  hello(subscriber: Subscriber): Hello {
    return {
      ...this.view(),
      via: this.#options.instance.name,
      you: subscriber?.[0] ?? null,
      participants: this.#audience.all(),
      publicUrl: this.#options.config.PUBLIC_URL ?? null,
    };
  }

  get #isRedisReachable(): boolean {
    return performance.now() - this.#answeredAt < REACHABLE_MS;
  }

  get #isWatched(): boolean {
    return this.#options.stream.isWatched || performance.now() < this.#watchedUntil;
  }

  async #tick(): Promise<void> {
    if (!this.#isWatched) return this.#stop();
    this.#ticks += 1;
    if (this.#ticks % TICKS_PER_SCRAPE === 0) void this.#instances.scrape();
    await Promise.race([this.poll(), delay(POLL_PATIENCE_MS)]);
    const { stream, instance } = this.#options;
    if (this.#isRedisReachable) stream.endUnknown();
    const tick: Tick = { ...this.view(), via: instance.name, ...this.#audience.takeChanges() };
    stream.send('tick', tick);
  }

  #stop(): void {
    if (!this.#isActive) return;
    this.#isActive = false;
    this.#pollState = FIRST_POLL;
    this.#sessionsSoFar = 0;
    this.#instances = new Instances();
    this.#audience = new Audience();
  }

  async #poll(): Promise<void> {
    this.#isActive = true;
    const own = [...this.#options.stream.participants(), ...this.#joining];
    const latest = own.map((one): Participant => this.#audience.get(one[0]) ?? one);
    try {
      const found = await this.#options.redis.poll(this.#pollState, latest);
      const { operationsPerSecond, memoryBytes, data } = found;
      this.#pollState = found.state;
      this.#sessionsSoFar += found.sessions;
      let { sessions } = this.#found;
      if (found.state.cursor === '0') {
        sessions = this.#sessionsSoFar;
        this.#sessionsSoFar = 0;
      }
      this.#found = { operationsPerSecond, memoryBytes, sessions };
      this.#dataMadeAt = data === null ? undefined : madeAtOf(data);
      this.#instances.update(found.records, found.isSettled);
      this.#audience.update(found.audience);
      this.#answeredAt = performance.now();
    } catch {
      this.#answeredAt = -Infinity; // the page shows Redis as away
    }
  }
}

/** When the origin was asked for a cached value, in milliseconds since 1970. */
function madeAtOf(entry: string): number | undefined {
  try {
    const { madeAt } = JSON.parse(entry);
    return typeof madeAt === 'number' ? madeAt : undefined;
  } catch {
    return undefined;
  }
}
