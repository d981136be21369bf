import { StackError } from '../lib/errors.mjs';
import { eventually } from '../lib/eventually.ts';
import type { StackContext } from './managed-process.ts';
import { Redis } from './redis.ts';
import { groupIn, type RedisTopology, replicationSettings, urlOfGroup } from './redis-topology.ts';

const DATA = 'redis-sentinel';
/** The name of the primary. */
const PRIMARY = 'shared-state';
/**
 * Milliseconds without a reply after which each Sentinel takes the primary for dead; two have to. A
 * Sentinel first sends PING after 1 s: with less it replaces each new primary too. If all noticed at
 * once, each might vote for itself, and an election is repeated only after seconds.
 */
const DOWN_AFTER_MS = [1050, 1250, 1450];
/** Milliseconds for each step of a failover. A failed one is repeated after twice this time. */
const FAILOVER_MS = 1500;
/** Milliseconds for the processes to find each other. */
const FORM_MS = 15_000;

/** A primary and two replicas, and three Sentinels that replace a dead primary. */
export function sentinelRedis(
  file: string,
  freePorts: number[],
  context: StackContext,
): RedisTopology {
  const { password, ports, isNew } = groupIn(DATA, freePorts, context);
  const [first = 0] = ports;
  const nodes = ports.slice(0, 3).map((port, i) => {
    const name = `redis-${i + 1}`;
    const role = i === 0 ? [] : [`replicaof 127.0.0.1 ${first}`];
    const settings = [...replicationSettings(password), ...role];
    const options = { name, dir: `${DATA}/${name}`, password, settings, primary: () => primary() };
    return new Redis(file, port, context, options);
  });
  const sentinels = ports.slice(3).map((port, i) => {
    const name = `sentinel-${i + 1}`;
    const settings = [
      `sentinel monitor ${PRIMARY} 127.0.0.1 ${first} 2`,
      `sentinel auth-pass ${PRIMARY} ${password}`,
      `sentinel down-after-milliseconds ${PRIMARY} ${DOWN_AFTER_MS[i]}`,
      `sentinel failover-timeout ${PRIMARY} ${FAILOVER_MS}`,
      `sentinel parallel-syncs ${PRIMARY} 1`,
    ];
    const options = { name, dir: `${DATA}/${name}`, password, settings, isSentinel: true };
    return new Redis(file, port, context, options);
  });

  const primary = async () => {
    const command = `SENTINEL GET-MASTER-ADDR-BY-NAME ${PRIMARY}`;
    const reply = await Promise.any(sentinels.map((sentinel) => sentinel.ask(command))).catch(
      () => {
        throw new StackError('No Sentinel answers; start one with `start sentinel-1`.');
      },
    );
    const port = Number(reply.split('\r\n').at(-2));
    const found = nodes.find((node) => node.port === port);
    if (found) return found;
    throw new StackError(`The Sentinels name no Redis of this stack: ${reply}`);
  };
  return {
    url: `${urlOfGroup('sentinel', password, sentinels)}/${PRIMARY}`,
    processes: [...nodes, ...sentinels] as [Redis, ...Redis[]],
    start: async () => {
      await Promise.all(nodes.map((node) => node.start()));
      // A Sentinel asks a primary for its replicas at once, and then every 10 s.
      if (isNew) await eventually(() => assertInSync(nodes[0]), FORM_MS);
      await Promise.all(sentinels.map((sentinel) => sentinel.start()));
      await eventually(async () => {
        await Promise.all(sentinels.map(assertSeesOthers));
        await assertInSync(await primary());
      }, FORM_MS);
    },
    primaryUrl: async () => (await primary()).url,
  };
}

async function assertInSync(node?: Redis): Promise<void> {
  const replication = await node?.ask('INFO replication');
  if (replication?.match(/state=online/g)?.length === 2) return;
  throw new StackError(`${node?.name} does not have two replicas.`);
}

async function assertSeesOthers(sentinel: Redis): Promise<void> {
  const view = await sentinel.ask(`SENTINEL MASTER ${PRIMARY}`);
  const isTwo = (field: string) => view.includes(`${field}\r\n$1\r\n2\r\n`);
  if (isTwo('num-slaves') && isTwo('num-other-sentinels')) return;
  throw new StackError(`${sentinel.name} does not see two replicas and two other Sentinels.`);
}
