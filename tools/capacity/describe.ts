import { textTable } from '../lib/report.ts';
import { type Demand, forecast, type Kind, MEMORY_PLANNED, PLANNED } from './model.ts';

const NAMES: Record<Kind, string> = { instances: 'instance', nginx: 'nginx', shards: 'Redis' };
const UNITS = { CPU: 'cores', memory: 'GiB', network: 'Gbit/s' };
/** Bytes of the replication backlog that the stacks of this project have. */
export const BACKLOG = 64 * 2 ** 20;

/** What helps when a resource ends. */
const ANSWERS: Record<string, string> = {
  'instance CPU': 'Add instances: `npm run stack -- scale N`, or replicas in Kubernetes.',
  'nginx CPU': 'Give nginx more cores, then put several behind a load balancer.',
  'nginx network': 'Put several nginx behind a load balancer. A CDN takes the page, not the views.',
  'Redis CPU': 'Take a Redis Cluster, or a managed Redis with shards.',
  'Redis memory': 'Take a larger Redis, for example a managed one, then a Redis Cluster.',
  'Redis network': 'Take a Redis Cluster: each shard has a network and replicas of its own.',
};
const TOO_MANY_INSTANCES =
  'The heartbeats of so many instances are too much for any shard: run several such systems.';

/** Describes what a load needs, on one screen. */
export function describeForecast(demand: Demand): string {
  const { views, sessions, shoppers, replicas, cores, memory, network } = demand;
  const { needs, processes, first, appendOnly, replicaStream } = forecast(demand);
  const rows = needs.map((need) => [
    NAMES[need.kind],
    need.resource,
    `${show(need.amount)} ${UNITS[need.resource]}`,
    `${show(need.oneCarries)} views/s`,
    whole(need.count),
  ]);
  const part = `${NAMES[first.kind]} ${first.resource}`;
  const { instances, nginx, shards } = processes;
  const isPossible = needs.every(({ count }) => Number.isFinite(count));
  const guests = `${show(sessions)} sessions, ${show(100 * shoppers)} % with a login and a cart`;
  return [
    `${show(views)} views/s, ${guests}. Machines of ${network} Gbit/s.`,
    `An nginx has ${cores} cores; an instance and a Redis have one. A Redis has ${memory} GiB.`,
    `${100 * PLANNED} % of CPU time and network are planned for, and ${100 * MEMORY_PLANNED} % of memory.`,
    '',
    textTable({ head: ['process', 'resource', 'all need', 'one carries', 'needed'], rows }),
    '',
    `Instances: ${whole(instances)}. nginx: ${whole(nginx)}. Redis: ${whole(shards)}, and for each ${replicas} replicas.`,
    `Append-only files: ${show(appendOnly / 1e6)} MB/s in all. To each replica: ${show(replicaStream / 1e6)} MB/s.`,
    `A replica that is away for ${show(BACKLOG / replicaStream)} s copies all data again.`,
    `${systemOf(demand)}, ${part} ends first: ${endOf(first.atViews)}.`,
    isPossible ? ANSWERS[part] : TOO_MANY_INSTANCES,
  ].join('\n');
}

/** The system in which a part ends. */
function systemOf({ instances, shards = 1 }: Demand): string {
  const workers = instances === undefined ? 'enough instances' : `${whole(instances)} instances`;
  return `With ${workers}, one nginx and ${shards === 1 ? 'one Redis' : `${whole(shards)} shards`}`;
}

function endOf(views: number): string {
  return views === 0 ? 'it is too small without any view' : `at ${show(views)} views/s`;
}

function whole(count: number): string {
  return count.toLocaleString('en-US');
}

/** Two or three digits, with commas: `13,900`. */
export function show(value: number): string {
  return Number(value.toPrecision(value < 10 ? 2 : 3)).toLocaleString('en-US');
}
