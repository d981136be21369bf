import { setTimeout as delay } from 'node:timers/promises';
import { Audience } from './audience.ts';
import type { Config } from './config.ts';
import type { EventStream, Subscriber } from './event-stream.ts';
import { Instances } from './instances.ts';
import type { Hello, Overview, Participant, RedisView, Tick } from './protocol.ts';
import { RedisFigures } from './redis-figures.ts';
import { type DashboardRedis, FIRST_POLL } from './scripts.ts';
import type { StackControl } from './stack-control.ts';

/** Milliseconds between two polls of Redis, each followed by a tick. */
const TICK_MS = 500;
const TICKS_PER_SCRAPE = 2;
/** A message waits for its poll, but not longer. */
const POLL_PATIENCE_MS = 200;
/** After a request, its client counts as watching for this time. */
const WATCH_MS = 3000;
/** If Redis has not answered for so long, its last answer is outdated. */
const REACHABLE_MS = 1500;

/** What a monitor needs. */
export interface MonitorOptions {
  config: Config;
  instance: { name: string };
  redis: DashboardRedis;
  stream: EventStream;
  /** Without it the page cannot control the stack. */
  control: StackControl | undefined;
}

/** Observes Redis and all instances while a client watches; does nothing otherwise. */
export class Monitor {
  #options: MonitorOptions;
  #instances = this.#newInstances();
  #audience = new Audience();
  #figures = new RedisFigures();
  #watchedUntil = 0;
  #ticks = 0;
  /** Participants whose stream is about to open. */
  #joining = new Set<Participant>();
  #lastPoll: Promise<void> = Promise.resolve();
  #nextPoll: Promise<void> | undefined;
  #answeredAt = -Infinity;
  #pollState = FIRST_POLL;
  #found: Omit<RedisView, 'reachable'> = {
    operationsPerSecond: 0,
    memoryBytes: 0,
    sessions: 0,
    dataAgeSeconds: null,
  };

  constructor(options: MonitorOptions) {
    this.#options = options;
    setInterval(() => void this.#tick(), TICK_MS).unref();
  }

  /** Watches for the next seconds. Resolves to a state that is up to date. */
  async watch(): Promise<void> {
    this.#watchedUntil = performance.now() + WATCH_MS;
    await this.poll();
    if (this.#instances.settings().origin === null) await this.#instances.scrape();
  }

  /** Watches for a page that is about to connect, and adds it to the audience. */
  async join(subscriber: Subscriber): Promise<void> {
    if (subscriber) this.#joining.add(subscriber);
    await Promise.race([this.watch(), delay(POLL_PATIENCE_MS)]);
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
    const { config, control } = this.#options;
    const { switches, origin } = this.#instances.settings();
    return {
      instances: this.#instances.views(),
      redis: { reachable: this.#isRedisReachable, ...this.#found },
      latency: this.#instances.latency(),
      cache: this.#instances.cache(),
      audience: this.#audience.totals(),
      switches,
      faults: {
        enabled: config.FAULT_INJECTION === 'on',
        needsKey: config.PRESENTER_KEY !== undefined,
        origin,
        control: control?.view() ?? null,
        isLocal: config.CONTROL_SOCKET !== undefined,
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
    if (!this.#isWatched) return this.#reset();
    await Promise.race([this.poll(), delay(POLL_PATIENCE_MS)]);
    if (this.#ticks % TICKS_PER_SCRAPE === 0) void this.#instances.scrape();
    this.#ticks += 1;
    const { stream } = this.#options;
    if (this.#isRedisReachable) stream.endUnknown();
    this.#send();
  }

  #send(): void {
    const { stream, instance } = this.#options;
    const tick: Tick = { ...this.view(), via: instance.name, ...this.#audience.takeChanges() };
    stream.send('tick', tick);
  }

  /** An instance that ends is shown at once. */
  #newInstances(): Instances {
    return new Instances(async (check) => {
      await this.poll();
      await check();
      this.#send();
    });
  }

  /** So that a later client sees nothing outdated. */
  #reset(): void {
    this.#pollState = FIRST_POLL;
    this.#ticks = 0;
    this.#instances = this.#newInstances();
    this.#audience = new Audience();
    this.#figures = new RedisFigures();
  }

  async #poll(): Promise<void> {
    const own = [...this.#options.stream.participants(), ...this.#joining];
    const latest = own.map((one): Participant => this.#audience.get(one[0]) ?? one);
    try {
      const { redis } = this.#options;
      const [found, figures, dataAgeSeconds] = await Promise.all([
        redis.poll(this.#pollState, latest),
        this.#figures.read(redis),
        redis.dataAge().catch(() => null), // its shard may be away
      ]);
      this.#found = { ...figures, dataAgeSeconds };
      this.#pollState = found.state;
      this.#instances.update(found.records, found.isSettled);
      this.#audience.update(found.audience);
      this.#answeredAt = performance.now();
    } catch {
      this.#answeredAt = -Infinity; // the page shows Redis as away
    }
  }
}
