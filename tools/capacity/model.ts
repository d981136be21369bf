import { APPLIED_SECONDS, APPLIED_TTL_SECONDS } from '../../services/shared/session/scripts.ts';
import { COSTS, type CostName } from './costs.ts';

/** Costs by the names of their figures, in the units of COSTS. */
type Costs = Record<CostName, { value: number }>;

/** The load to carry, and the machines for it. */
export interface Demand {
  /** Views per second, spread evenly over all sessions. */
  views: number;
  /** Stored sessions. */
  sessions: number;
  /** The share of sessions with a login and three items in the cart, from 0 to 1. */
  shoppers: number;
  /** Replicas of each Redis. */
  replicas: number;
  /** Cores of an nginx. An instance and a Redis use one core each. */
  cores: number;
  /** Gbit per second to and from each machine. */
  network: number;
  /** GiB of `maxmemory` of each Redis. */
  memory: number;
  /** By default as many as the load needs. */
  instances?: number | undefined;
  /** The number of primaries. By default as many as the load needs. */
  shards?: number | undefined;
}

/** How many processes of each kind there are. Each shard is one primary of Redis. */
type Processes = Record<Kind, number>;
export type Kind = 'instances' | 'nginx' | 'shards';

/** A resource that a kind of process may run out of. */
interface Limit {
  kind: Kind;
  resource: 'CPU' | 'memory' | 'network';
  /** What all processes of the kind need together: cores, GiB or Gbit/s. */
  needs(demand: Demand, processes: Processes, costs: Costs): number;
  /** What one of them may use, in the same unit. */
  has(demand: Demand): number;
}

/** What a load needs of a resource. */
export interface Need extends Pick<Limit, 'kind' | 'resource'> {
  /** Cores, GiB or Gbit/s, of all processes of the kind together. */
  amount: number;
  /** The views per second that one process carries with the given sessions; 0 if it is too small. */
  oneCarries: number;
  /** The number of processes. Infinity if no number is enough. */
  count: number;
}

/** What a load needs, and what ends first. */
export interface Forecast {
  needs: Need[];
  /** As demanded, or as many as the load needs. */
  processes: Processes;
  /** What ends first as views grow: with the demanded processes, or with one nginx and one Redis. */
  first: Pick<Need, 'kind' | 'resource'> & { atViews: number };
  /** Bytes per second that all append-only files grow by. */
  appendOnly: number;
  /** Bytes per second to each replica. */
  replicaStream: number;
}

/** The share of CPU time and network to plan with. The rest is for peaks and failures. */
export const PLANNED = 0.7;
/** The share of the memory of Redis above which new sessions are refused; see scripts.ts. */
export const MEMORY_PLANNED = 0.9;
/** A Redis Cluster needs so many primaries to vote. */
const MIN_SHARDS = 3;
/** A bound for searches, beyond any load. */
const MAX_COUNT = 1e15;

const LIMITS: Limit[] = [
  {
    ...{ kind: 'instances', resource: 'CPU' },
    needs: ({ views }, { instances }, costs) =>
      (views * costs['first view, CPU of the instance'].value) / 1e6 +
      (instances * costs['idle instance, own CPU'].value) / 1e3,
    has: () => PLANNED,
  },
  {
    ...{ kind: 'nginx', resource: 'CPU' },
    needs: ({ views }, _, costs) => (views * costs['first view, CPU of nginx'].value) / 1e6,
    has: ({ cores }) => PLANNED * cores,
  },
  {
    ...{ kind: 'nginx', resource: 'network' },
    needs: ({ views }, _, costs) => gbit(views * costs['first view, to the client'].value),
    has: ({ network }) => PLANNED * network,
  },
  {
    // The heartbeats of all instances reach the same shard, so each shard is planned with them.
    ...{ kind: 'shards', resource: 'CPU' },
    needs: ({ views }, { instances, shards }, costs) =>
      (views * costs['first view, CPU of Redis'].value) / 1e6 +
      (shards * instances * costs['idle instance, CPU of Redis'].value) / 1e3,
    has: () => PLANNED,
  },
  {
    ...{ kind: 'shards', resource: 'memory' },
    needs: (demand, _, costs) =>
      (sessionBytes(demand, costs) + idempotencyBytes(demand, costs)) / 2 ** 30,
    has: ({ memory }) => MEMORY_PLANNED * memory,
  },
  {
    ...{ kind: 'shards', resource: 'network' },
    needs: ({ views, replicas }, _, costs) => {
      const sent =
        costs['first view, from Redis'].value +
        replicas * costs['first view, replica stream'].value;
      return gbit(views * Math.max(costs['first view, to Redis'].value, sent));
    },
    has: ({ network }) => PLANNED * network,
  },
];

/** Bytes of all sessions with their views, carts and profiles. */
function sessionBytes({ sessions, shoppers }: Demand, costs: Costs): number {
  const guest = costs['session, 1 view, of many'].value;
  const shopper = costs['session, logged in, 3 items, of many'].value;
  return sessions * ((1 - shoppers) * guest + shoppers * shopper);
}

/**
 * Bytes of all idempotency keys. The first view of a visitor after a minute begins a hash, and drops
 * the hash before the last one. Without further views a hash lives for four minutes.
 */
function idempotencyBytes({ views, sessions }: Demand, costs: Costs): number {
  if (views === 0) return 0;
  const seconds = Math.min(APPLIED_TTL_SECONDS, 1.5 * (APPLIED_SECONDS + sessions / views));
  const keys = views * seconds;
  const hashes = Math.min(keys, 2 * sessions);
  return (
    hashes * costs['first view, idempotency key'].value +
    (keys - hashes) * costs['next view, idempotency key'].value
  );
}

/** The Gbit of bytes. */
function gbit(bytes: number): number {
  return (bytes * 8) / 1e9;
}

/** Calculates what a load needs. */
export function forecast(demand: Demand, costs: Costs = COSTS): Forecast {
  const isEnough = (limit: Limit, count: number, others: Processes, views = demand.views) =>
    limit.needs({ ...demand, views }, { ...others, [limit.kind]: count }, costs) <=
    count * limit.has(demand);
  const carries = (limit: Limit, count: number, others: Processes) =>
    lowest((views) => !isEnough(limit, count, others, views + 1));
  const countOf = (limit: Limit, others: Processes) =>
    lowest((count) => count > 0 && isEnough(limit, count, others));
  const most = (kind: Kind, others: Processes) =>
    Math.max(...LIMITS.filter((one) => one.kind === kind).map((one) => countOf(one, others)));

  const one = { instances: 1, nginx: 1, shards: 1 };
  const instances = demand.instances ?? most('instances', one);
  const given = { ...one, instances, shards: demand.shards ?? 1 };
  const shards = most('shards', given);
  const processes = {
    instances,
    nginx: most('nginx', given),
    shards: demand.shards ?? (shards > 1 ? Math.max(MIN_SHARDS, shards) : 1),
  };
  const needs = LIMITS.map((limit) => ({
    ...{ kind: limit.kind, resource: limit.resource },
    amount: limit.needs(demand, processes, costs),
    oneCarries: carries(limit, 1, given),
    count: countOf(limit, given),
  }));
  // Instances are added by one command, so they end first only if their number is given.
  const fixed = LIMITS.filter(({ kind }) => kind !== 'instances' || demand.instances !== undefined);
  const ends = fixed.map((limit) => ({
    ...{ kind: limit.kind, resource: limit.resource },
    atViews: carries(limit, given[limit.kind], given),
  }));
  return {
    ...{ needs, processes },
    first: ends.reduce((first, end) => (end.atViews < first.atViews ? end : first)),
    appendOnly: demand.views * costs['first view, append-only file'].value,
    replicaStream: (demand.views * costs['first view, replica stream'].value) / processes.shards,
  };
}

/** What shards carry, and what they need around them. */
export interface Carried {
  /** The most views per second. */
  views: number;
  /** The most sessions that fit with these views, of guests and shoppers as demanded. */
  sessions: number;
  /** For these views. */
  instances: number;
  /** For these views. */
  nginxCores: number;
}

/** Calculates what the demanded shards carry. The demanded views and sessions do not matter. */
export function carriedBy({ shards = 1, ...demand }: Demand, costs: Costs = COSTS): Carried {
  const forecastOf = (views: number, sessions: number) =>
    forecast({ ...demand, shards, views, sessions }, costs);
  const isTooMuch = (resource: Need['resource'], views: number, sessions: number) =>
    forecastOf(views, sessions).needs.some(
      (need) => need.kind === 'shards' && need.resource === resource && need.count > shards,
    );
  const views = lowest((n) => isTooMuch('CPU', n + 1, 1) || isTooMuch('network', n + 1, 1));
  const sessions = lowest((n) => isTooMuch('memory', views, n + 1));
  const { needs, processes } = forecastOf(views, sessions);
  const nginx = needs.find(({ kind, resource }) => kind === 'nginx' && resource === 'CPU');
  const nginxCores = Math.ceil((nginx?.amount ?? 0) / PLANNED);
  return { views, sessions, instances: processes.instances, nginxCores };
}

/** The lowest whole number for which a condition holds that holds for all higher ones too. */
function lowest(holds: (n: number) => boolean): number {
  let high = 1;
  while (!holds(high)) {
    high *= 2;
    if (high > MAX_COUNT) return Infinity;
  }
  let low = -1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
