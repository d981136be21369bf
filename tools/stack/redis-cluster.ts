import { StackError } from '../lib/errors.mjs';
import { eventually } from '../lib/eventually.ts';
import type { StackContext } from './managed-process.ts';
import { Redis } from './redis.ts';
import { groupIn, type RedisTopology, replicationSettings, urlOfGroup } from './redis-topology.ts';

const DATA = 'redis-cluster';
/** The first and the last slot of each of the three primaries. */
export const SHARDS = [
  [0, 5460],
  [5461, 10_922],
  [10_923, 16_383],
] as const;
/** Milliseconds without a reply after which the others take a node for dead. */
const NODE_TIMEOUT_MS = 1000;
/** Milliseconds for the nodes to find each other. */
const FORM_MS = 15_000;

/** Redis Cluster: three primaries with a third of the keys each, and a replica of each. */
export function redisCluster(
  file: string,
  freePorts: number[],
  context: StackContext,
): RedisTopology {
  const { password, ports, isNew } = groupIn(DATA, freePorts, context);
  const busPorts = ports.slice(6);
  const nodes = ports.slice(0, 6).map((port, i) => {
    const name = `redis-${i + 1}`;
    const settings = [
      ...replicationSettings(password),
      'cluster-enabled yes',
      `cluster-port ${busPorts[i]}`,
      `cluster-node-timeout ${NODE_TIMEOUT_MS}`,
      'cluster-require-full-coverage no', // the other shards serve while one is down
    ];
    return new Redis(file, port, context, { name, dir: `${DATA}/${name}`, password, settings });
  });

  /** Assigns the slots, introduces the nodes to each other, and makes the last three replicas. */
  const form = async () => {
    const [first, ...others] = nodes;
    for (const [i, slots] of SHARDS.entries()) {
      await nodes[i]?.ask(`CLUSTER ADDSLOTSRANGE ${slots.join(' ')}`);
    }
    for (const [i, node] of nodes.entries()) await node.ask(`CLUSTER SET-CONFIG-EPOCH ${i + 1}`);
    for (const [i, { port }] of others.entries()) {
      await first?.ask(`CLUSTER MEET 127.0.0.1 ${port} ${busPorts[i + 1]}`);
    }
    for (const [i, replica] of nodes.slice(3).entries()) {
      const [, id] = (await nodes[i]?.ask('CLUSTER MYID'))?.split('\r\n') ?? [];
      await eventually(() => replica.ask(`CLUSTER REPLICATE ${id}`), FORM_MS);
    }
  };
  return {
    url: urlOfGroup('cluster', password, nodes.slice(0, 3)), // they know the others
    processes: nodes as [Redis, ...Redis[]],
    start: async () => {
      await Promise.all(nodes.map((node) => node.start()));
      if (isNew) await form();
      await eventually(() => Promise.all(nodes.map(assertFormed)), FORM_MS);
    },
    primaryUrl: async () => {
      const node = nodes.find(({ isRunning }) => isRunning);
      if (node) return node.url;
      throw new StackError('No node of the cluster is running; start one with `start redis-1`.');
    },
  };
}

async function assertFormed(node: Redis): Promise<void> {
  const state = await node.ask('CLUSTER INFO');
  const known = await node.ask('CLUSTER NODES');
  const replication = await node.ask('INFO replication');
  const isInSync = /role:master|master_link_status:up/.test(replication);
  const replicas = known.match(/\bslave\b/g)?.length;
  if (state.includes('cluster_state:ok') && replicas === 3 && isInSync) return;
  throw new StackError(`${node.name} does not see three primaries and three replicas.`);
}
