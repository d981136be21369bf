import { setTimeout as delay } from 'node:timers/promises';
import type { Request, RequestHandler } from 'express';
import type { CacheCounts } from '../app/cache/cache.ts';
import type { Config } from '../app/config.ts';
import type { KnownVisitors } from '../app/fast-path/verified-cookies.ts';
import type { Chaos } from '../app/fault-injection/fault-injection.ts';
import { visitorHash } from '../app/visitor-hash.ts';
import type { Parts } from '../shared/process/service.ts';
import { sessionKeys } from '../shared/session/keys.ts';
import { readBeat } from './beat.ts';
import { type BeatReply, type BoardRedis, CHANNEL } from './board-scripts.ts';
import { Feed } from './feed.ts';
import { HearingClock } from './hearing-clock.ts';
import type {
  Beat,
  CacheTotals,
  Hello,
  InstanceState,
  Overview,
  Person,
  Switches,
  Tick,
} from './messages.ts';
import { InstancesOverview } from './overview.ts';
import { BEAT_MS, Presence } from './presence.ts';
import { Survey } from './survey.ts';
import { Tally } from './tally.ts';

/** Milliseconds between two messages to a page. */
const TICK_MS = 500;
/** Every how many of them Redis is looked at. */
const TICKS_PER_SURVEY = 2;
/** Milliseconds for which somebody who has asked once counts as watching. */
const POLL_MS = 3000;
/** Milliseconds within which all instances have heard that somebody watches, and said how they are. */
const WARM_UP_MS = 2 * BEAT_MS + 100;
/** Milliseconds in which an instance is new: nginx may not know it yet. */
const JOINING_MS = 2000;

/** What the board shows is taken from these. */
export interface BoardOptions {
  parts: Parts<Config>;
  redis: BoardRedis;
  visitors: KnownVisitors;
  counts: CacheCounts;
  chaos: Chaos;
}

/**
 * Lets people watch all instances from any of them. Each instance says a few times a second how it
 * is; while somebody watches, it also counts, and listens to the others.
 */
export class Board {
  /** Makes this instance known to the others. */
  readonly presence: Presence;
  #options: BoardOptions;
  #switches: Switches;
  #startedAt = performance.now();
  #clock = new HearingClock();
  #overview = new InstancesOverview();
  #tally = new Tally((id) => this.#overview.room.has(id));
  #feed: Feed;
  #survey: Survey;
  #listeningSince: number | undefined;
  #polledUntil = 0;
  #ticks = 0;

  constructor(options: BoardOptions) {
    const { parts, redis, chaos } = options;
    const { config, draining } = parts;
    this.#options = options;
    this.#switches = switchesOf(config);
    this.#survey = new Survey(redis);
    this.#feed = new Feed(draining);
    this.presence = new Presence({
      ...parts,
      redis,
      isNamed: config.INSTANCE !== undefined,
      say: () => ({ watches: this.#watches, said: this.#say() }),
      onReply: (reply) => {
        this.#clock.hear();
        this.#listen(reply);
        chaos.obey(reply.command, reply.origin);
      },
    });
    redis.on('ready', () => {
      if (this.#listeningSince !== undefined) this.#subscribe();
    });
    setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** `GET /events`: feeds a page. */
  readonly events: RequestHandler = async (req, res) => {
    const [person] = await Promise.all([this.#personOf(req), this.#survey.look()]);
    if (res.closed) return;
    const hello: Hello = {
      ...this.#view(),
      by: this.#options.parts.identity.name,
      you: person?.id ?? null,
      dots: this.#overview.room.dots(),
    };
    this.#feed.open(req, res, person, hello);
    void this.presence.beat();
  };

  /** `GET /instances`: the same at one moment. Whoever is the first to ask waits until there is something to see. */
  readonly instances: RequestHandler = async (_req, res) => {
    this.#polledUntil = performance.now() + POLL_MS;
    if (this.#listeningSince === undefined) await this.presence.beat();
    const heardForMs = performance.now() - (this.#listeningSince ?? performance.now());
    await Promise.all([this.#survey.look(), delay(Math.max(0, WARM_UP_MS - heardForMs))]);
    res.set('Cache-Control', 'no-store').json(this.#view());
  };

  get #watches(): boolean {
    return this.#feed.isWatched || performance.now() < this.#polledUntil;
  }

  /** Nothing, where nobody listens. */
  #say(): Beat | undefined {
    if (this.#listeningSince === undefined) return undefined;
    const { parts, counts } = this.#options;
    const activity = this.#tally.take();
    return {
      name: parts.identity.name,
      state: this.#state,
      uptimeSeconds: Math.floor(process.uptime()),
      memoryBytes: process.memoryUsage.rss(),
      cache: totalsOf(counts),
      ...(activity && { activity }),
      people: this.#feed.people(),
    };
  }

  get #state(): InstanceState {
    if (this.#options.parts.draining.aborted) return 'draining';
    return performance.now() - this.#startedAt < JOINING_MS ? 'joining' : 'ready';
  }

  /** Counts, and listens to the others, for as long as anybody watches. */
  #listen({ isWatched }: BeatReply): void {
    if (isWatched === (this.#listeningSince !== undefined)) return;
    if (isWatched) {
      this.#listeningSince = performance.now();
      this.#tally.start();
      this.#subscribe();
      setImmediate(() => this.presence.beat()); // they want to hear of it now
    } else {
      this.#listeningSince = undefined;
      this.#tally.stop();
      this.#options.redis.unsubscribe(CHANNEL, this.#hear).catch(() => {});
      this.#overview = new InstancesOverview();
    }
  }

  /** Where it fails, the next connection does it again. */
  #subscribe(): void {
    this.#options.redis.subscribe(CHANNEL, this.#hear).catch(() => {});
  }

  #hear = (json: string): void => {
    const beat = readBeat(json);
    if (beat) this.#overview.hear(beat, this.#clock.now);
  };

  #tick(): void {
    if (this.#listeningSince === undefined && !this.#watches) return;
    this.#ticks += 1;
    if (this.#watches && this.#ticks % TICKS_PER_SURVEY === 0) void this.#survey.look();
    if (this.#survey.view().reachable) this.#feed.askAgain();
    this.#overview.tidy(this.#clock.now);
    const changes = this.#overview.room.takeChanges();
    const by = this.#options.parts.identity.name;
    const tick: Tick = { ...this.#view(), by, ...changes };
    this.#feed.send('tick', tick);
  }

  #view(): Overview {
    const { config } = this.#options.parts;
    const { chaos } = this.#options;
    const { people, views } = this.#overview.room;
    return {
      instances: this.#overview.instances(this.#clock.now),
      redis: this.#survey.view(),
      latency: this.#overview.latency(),
      cache: this.#overview.cache(),
      room: { people, views },
      switches: this.#switches,
      chaos: {
        enabled: chaos.isEnabled,
        needsKey: config.PRESENTER_KEY !== undefined,
        origin: chaos.origin,
      },
    };
  }

  /** Who opens the page: `undefined` for a stranger, `null` where Redis cannot say it now. */
  async #personOf(req: Request): Promise<Person | undefined | null> {
    const { parts, visitors } = this.#options;
    try {
      const visitor = await visitors.find(req);
      if (!visitor) return undefined;
      const [session, views] = await parts.redis.mGet(sessionKeys(visitor.id).slice(0, 2));
      if (session == null) return undefined; // it has ended
      const { name } = JSON.parse(session);
      return { id: visitorHash(visitor.id), views: Number(views ?? 0), ...(name && { name }) };
    } catch {
      return null;
    }
  }
}

function switchesOf(config: Config): Switches {
  const { SESSION_STORE, COUNTER, IDEMPOTENCY, CACHE, CACHE_GUARD } = config;
  return { SESSION_STORE, COUNTER, IDEMPOTENCY, CACHE, CACHE_GUARD };
}

function totalsOf({ lookups, originCalls, originFailures }: CacheCounts): CacheTotals {
  return {
    localHits: lookups.local,
    redisHits: lookups.redis,
    sharedLoads: lookups.collapsed,
    stale: lookups.stale,
    misses: lookups.miss,
    bypasses: lookups.bypass,
    originCalls,
    originFailures,
  };
}
