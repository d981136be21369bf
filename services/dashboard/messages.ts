// What instances tell each other about themselves, and what they tell the page.

/** `joining`: in its first moments, when nginx may not know it yet. `dead`: nothing was heard of it. */
export type InstanceState = 'joining' | 'ready' | 'draining' | 'dead';

/** The durations whose distribution is kept: of all requests, and of what they were. */
export type Kind = 'all' | 'views' | 'hits' | 'misses';

/** Counts by bucket of a histogram, without those that are zero. */
export type SparseCounts = [bucket: number, count: number][];

/** Somebody who has the page open. */
export interface Person {
  /** The session, by a hash of its id. */
  id: string;
  /** As typed at the login. */
  name?: string;
  views: number;
}

/** What an instance has done since its last beat. It counts only while somebody watches. */
export interface Activity {
  /** Milliseconds for which it counted. */
  ms: number;
  /** Requests that came through nginx, but for those of the page itself. */
  requests: number;
  latency: Partial<Record<Kind, SparseCounts>>;
  /** The people of the room that it served, with their views. */
  served: [id: string, views: number][];
}

/** What the cache of an instance has done since the instance started. */
export interface CacheTotals {
  localHits: number;
  redisHits: number;
  /** Answered with what another request was loading. */
  sharedLoads: number;
  stale: number;
  misses: number;
  bypasses: number;
  originCalls: number;
  originFailures: number;
}

/** What an instance says of itself a few times a second. */
export interface Beat {
  name: string;
  state: InstanceState;
  uptimeSeconds: number;
  /** Of the process, resident. */
  memoryBytes: number;
  cache: CacheTotals;
  activity?: Activity;
  /** Those whose page it feeds. */
  people?: Person[];
}

/** An instance, as `GET /instances` and the page show it. */
export interface InstanceView {
  name: string;
  state: InstanceState;
  uptimeSeconds: number;
  memoryBytes: number;
  requestsPerSecond: number;
  /** `null` where there were no requests in the last two seconds. */
  p99Ms: number | null;
}

/** Redis, as it was found last. */
export interface RedisView {
  reachable: boolean;
  operationsPerSecond: number;
  memoryBytes: number;
  /** As they were counted last: with every 5000 keys that takes a second. */
  sessions: number;
  /** Seconds since the origin was asked for `/data`; `null` where it is not cached. */
  dataAgeSeconds: number | null;
}

/** The settings that decide whether state is shared. */
export interface Switches {
  SESSION_STORE: string;
  COUNTER: string;
  IDEMPOTENCY: string;
  CACHE: string;
  CACHE_GUARD: string;
}

/** All of it at one moment: what `GET /instances` answers. */
export interface Overview {
  instances: InstanceView[];
  redis: RedisView;
  /** The 99th percentile of the last two seconds in milliseconds, over all instances. */
  latency: Record<Exclude<Kind, 'all'>, number | null>;
  /** Of all instances since each of them started, also of those that ended while somebody watched. */
  cache: CacheTotals & { hitRatio: number | null };
  room: { people: number; views: number };
  switches: Switches;
  chaos: ChaosView;
}

/** What can be broken from the page, and how the origin behaves now. */
export interface ChaosView {
  enabled: boolean;
  /** Whether it takes the presenter's key. */
  needsKey: boolean;
  origin: { delayMs: number; failurePercent: number };
}

/** A person with the instance that served them last. */
export type Dot = [id: string, instance: string, views: number, name: string];

/** The first message to a page (`event: hello`): everything. */
export interface Hello extends Overview {
  /** The instance that feeds the page. */
  by: string;
  /** Which person of the room the page is. */
  you: string | null;
  dots: Dot[];
}

/** Each message after it (`event: tick`): everything, but of the room only what has changed. */
export interface Tick extends Overview {
  by: string;
  /** Who came, moved or viewed. */
  moved: Dot[];
  /** Who left. */
  left: string[];
}
