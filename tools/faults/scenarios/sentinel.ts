// A Redis with two replicas, whose primary three Sentinels replace.
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from '../../stack/redis.ts';
import { PEER_ADDRESS } from '../../stack/redis-sentinel.ts';
import type { Customers } from '../customers.ts';
import type { Environment, Scenario } from '../environment.ts';
import type { Outcome } from '../load.ts';
import { between, missingFirewall, partition } from '../partition.ts';

/** Milliseconds until another primary serves. Three seconds are usual. */
const FAILOVER_MS = 5000;
/**
 * Milliseconds until clients are connected to the same primary again. An attempt without an answer
 * takes a second, and the next one begins within another.
 */
const RECONNECT_MS = 2500;
/** Milliseconds until the Sentinels have made the former primary a replica. */
const DEMOTION_MS = 20_000;
/** Milliseconds in which every request must be answered. */
const REPLY_MS = 2000;
/** Milliseconds in which each customer comes to a login. */
const LOST_REPLIES_MS = 1000;
/** The address of the clients of Redis and of the Sentinels. */
const CLIENT_ADDRESS = '127.0.0.1';

interface Group {
  primary: Redis;
  replicas: Redis[];
  sentinels: Redis[];
}

/** Breaks something. Resolves to its repair. */
type Fault = (group: Group, environment: Environment, customers: Customers) => Promise<Repair>;
type Repair = () => unknown;

/** By then each customer has sent a login whose reply was lost, and sends it to the next primary. */
const killPrimary: Fault = async ({ primary }, environment, customers) => {
  customers.loseReplies = true;
  await delay(LOST_REPLIES_MS);
  await primary.kill();
  customers.loseReplies = false;
  environment.require(customers.logins.lostReplies > 0, 'no reply to a login was lost');
  return () => primary.start();
};

const pausePrimary: Fault = async ({ primary }) => {
  primary.pause();
  return () => primary.resume();
};

const killReplica: Fault = async ({ replicas: [replica] }) => {
  await replica?.kill();
  return () => replica?.start();
};

const killSentinels: Fault = async ({ sentinels }) => {
  await Promise.all(sentinels.map((sentinel) => sentinel.kill()));
  return () => Promise.all(sentinels.map((sentinel) => sentinel.start()));
};

/** Cuts off some processes from the clients, and some from the other Redis and the Sentinels. */
function cutOff(partsOf: (group: Group) => { clients?: Redis[]; peers?: Redis[] }): Fault {
  return async (group, { resources }) => {
    const { clients = [], peers = [] } = partsOf(group);
    const rules = [...between(CLIENT_ADDRESS, clients), ...between(PEER_ADDRESS, peers)];
    const cut = resources.use(await partition(rules));
    return () => cut[Symbol.asyncDispose]();
  };
}

interface SentinelFault extends Pick<Scenario, 'name' | 'should' | 'isLong' | 'missing'> {
  fault: Fault;
  /** Milliseconds after the fault or its repair until requests must succeed. None may fail without it. */
  outage?: { after: 'fault' | 'repair'; ms: number };
  /** Another Redis becomes the primary. */
  hasSuccessor?: boolean;
}

const faults: SentinelFault[] = [
  {
    name: 'primary-cut-off',
    should: 'lose nothing that was answered if the primary is cut off together with its clients',
    fault: cutOff(({ primary, sentinels }) => ({ clients: sentinels, peers: [primary] })),
    outage: { after: 'repair', ms: FAILOVER_MS },
    hasSuccessor: true,
    missing: missingFirewall,
  },
  {
    name: 'clients-cut-off',
    should: 'answer in time and write again at once if only the clients are cut off',
    fault: cutOff(({ primary }) => ({ clients: [primary] })),
    outage: { after: 'repair', ms: RECONNECT_MS },
    missing: missingFirewall,
  },
  {
    name: 'primary-alone',
    should: 'lose nothing and write again within five seconds if the primary alone is cut off',
    fault: cutOff(({ primary }) => ({ clients: [primary], peers: [primary] })),
    outage: { after: 'fault', ms: FAILOVER_MS },
    hasSuccessor: true,
    isLong: true,
    missing: missingFirewall,
  },
  {
    name: 'primary-killed',
    should: 'lose nothing and write again within five seconds if the primary is killed',
    fault: killPrimary,
    outage: { after: 'fault', ms: FAILOVER_MS },
    hasSuccessor: true,
  },
  {
    name: 'primary-hangs',
    should: 'lose nothing and write again within five seconds if the primary hangs and comes back',
    fault: pausePrimary,
    outage: { after: 'fault', ms: FAILOVER_MS },
    hasSuccessor: true,
    isLong: true,
  },
  {
    name: 'replica-killed',
    should: 'fail no request if one of two replicas is killed',
    fault: killReplica,
    isLong: true,
  },
  {
    name: 'sentinels-gone',
    should: 'fail no request while no Sentinel answers',
    fault: killSentinels,
    isLong: true,
  },
];

const isClear503 = ({ status, retryAfter }: Outcome) => status === 503 && retryAfter !== undefined;

export const sentinelScenarios = faults.map(
  ({ fault, outage, hasSuccessor = false, ...more }): Scenario => ({
    ...more,
    redis: 'sentinel',
    env: { REDIS_WAIT_REPLICAS: '1' },
    mayFail: (failure) => outage !== undefined && isClear503(failure),
    async run(environment) {
      await environment.startLoad();
      const customers = environment.startCustomers();
      await environment.wait(2000, 1000);
      const group = await groupOf(environment);
      const { primary } = group;
      const repair = await fault(group, environment, customers);
      const faultAt = performance.now();
      await environment.wait(8000, 6000);
      await repair();
      const repairAt = performance.now();
      const observedMs = 1000 + (outage?.after === 'repair' ? outage.ms : 0);
      await environment.wait(observedMs, observedMs);
      if (hasSuccessor) {
        await environment.requireWithin(DEMOTION_MS, 'a replica', () => requireReplica(primary));
      }
      const isSame = (await groupOf(environment)).primary === primary;
      const change = isSame ? 'there is no other primary' : 'there is another primary';
      environment.require(isSame !== hasSuccessor, change);
      environment.requireFasterThan(REPLY_MS);
      if (!outage) return;
      environment.require(customers.logins.repeated > 0, 'no login was sent again');
      const since = outage.after === 'fault' ? faultAt : repairAt;
      const ends = environment.failures.map(({ from, ms }) => from + ms - since);
      const lastMs = Math.round(Math.max(...ends));
      environment.require(ends.length > 0, 'the fault was not noticed');
      environment.require(lastMs < outage.ms, `requests failed for ${lastMs} ms`);
      environment.note(`${primary.name}: last failure ${lastMs} ms after the ${outage.after}`);
    },
  }),
);

async function groupOf({ stack: { topology } }: Environment): Promise<Group> {
  const url = await topology.primaryUrl();
  const sentinels = topology.processes.filter(({ name }) => name.startsWith('sentinel'));
  const nodes = topology.processes.filter((one) => !sentinels.includes(one));
  const primary = nodes.find((one) => one.url === url) as Redis;
  const replicas = nodes.filter((one) => one !== primary);
  return { primary, replicas, sentinels };
}

async function requireReplica(redis: Redis): Promise<void> {
  const role = await redis.ask('ROLE');
  if (!role.includes('slave')) throw new Error(`its role: ${role}`);
}
