// What the dashboard sends to the page and to clients of GET /dashboard/instances.
import type { OriginBehavior, InstanceState as ReportedState } from '../app/heartbeat/record.ts';

/**
 * `dead`: the process has ended, or its heartbeat has, and it had not announced that. `hung`: its
 * heartbeat stopped, but it still accepts connections.
 */
export type InstanceState = ReportedState | 'dead' | 'hung';

export interface InstanceView {
  name: string;
  /** Host and port, as nginx names it in `X-Upstream-Addr`. */
  address: string;
  state: InstanceState;
  uptimeSeconds: number;
  /** Resident memory of the process. */
  memoryBytes: number;
  requestsPerSecond: number;
  /** `null` without requests in the last two seconds. */
  p99Ms: number | null;
}

export interface RedisView {
  reachable: boolean;
  /** `null` if Redis does not tell. */
  operationsPerSecond: number | null;
  memoryBytes: number | null;
  /** The last complete count; counting takes half a second per 5000 keys. */
  sessions: number;
  /** Seconds since the origin was asked for `/data`; `null` if it is not cached. */
  dataAgeSeconds: number | null;
}

/** Counts since each instance started. */
export interface CacheTotals {
  localHits: number;
  redisHits: number;
  /** Answered with the result of another request's load. */
  sharedLoads: number;
  stale: number;
  misses: number;
  bypasses: number;
  originCalls: number;
  originFailures: number;
}

/** The settings of the instances that decide whether state is shared, by environment variable. */
export type Switches = Record<string, string>;

/** The commands that the page has sent to a local stack. */
export interface ControlView {
  /** Whether a command is in progress. */
  busy: boolean;
  /** Why the last command failed; `null` if it succeeded. */
  failure: string | null;
}

export interface FaultsView {
  enabled: boolean;
  /** Whether fault routes require the presenter's key. */
  needsKey: boolean;
  /** How the origin behaves now; `null` before an instance was scraped. */
  origin: OriginBehavior | null;
  /** `null` if the dashboard cannot control the stack: in containers the user types the commands. */
  control: ControlView | null;
  /** Whether the stack consists of local processes, which `npm run stack` controls. */
  isLocal: boolean;
}

/** The whole state at one moment: the reply of `GET /dashboard/instances`. */
export interface Overview {
  instances: InstanceView[];
  redis: RedisView;
  /** 99th percentiles of the last two seconds over all instances, in milliseconds. */
  latency: Record<'views' | 'hits' | 'misses', number | null>;
  /** Totals over all instances, including instances that ended meanwhile. */
  cache: CacheTotals & { hitRatio: number | null };
  audience: { participants: number; views: number };
  switches: Switches;
  faults: FaultsView;
}

/**
 * A session that has the page open, and the instance that served it last (empty if none yet). People
 * find themselves by the number: the first to come is 1. It is 0 until Redis has given one.
 */
export type Participant = [
  id: string,
  instance: string,
  views: number,
  name: string,
  number: number,
];

/** The first message of an event stream (`event: hello`): everything. */
export interface Hello extends Overview {
  /** The dashboard that the page is connected via. */
  via: string;
  /** Which participant the page is. */
  you: string | null;
  participants: Participant[];
  /** Where the audience reaches the page, if configured. */
  publicUrl: string | null;
}

/** Every later message (`event: tick`): everything, but only changes of the audience. */
export interface Tick extends Overview {
  via: string;
  /** Participants who joined, moved or viewed. */
  moved: Participant[];
  /** Ids of participants who left. */
  left: string[];
}
