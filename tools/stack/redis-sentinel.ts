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
const DOWN_AFTER_MS = [1300, 1500, 1700];
/**
 * The address from which Redis and Sentinels connect to each other. Clients have another one, so that
 * a firewall can cut off the ones or the others. A system without it ignores this.
 */
export const PEER_ADDRESS = '127.0.0.2';
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
    const own = [`bind-source-addr ${PEER_ADDRESS}`, 'replica-announce-ip 127.0.0.1'];
    const settings = [...replicationSettings(password), ...own, ...role];
    const options = { name, dir: `${DATA}/${name}`, password, settings, primary: () => primary() };
    return new Redis(file, port, context, options);
  });
  const sentinels = ports.slice(3).map((port, i) => {
    const name = `sentinel-${i + 1}`;
    const settings = [
      `bind-source-addr ${PEER_ADDRESS}`,
      'sentinel announce-ip 127.0.0.1',
      `sentinel monitor ${PRIMARY} 127.0.0.1 ${first} 2`,
      `sentinel auth-pass ${PRIMARY} ${password}`,
      `sentinel down-after-milliseconds ${PRIMARY} ${DOWN_AFTER_MS[i]}`,
      `sentinel failover-timeout ${PRIMARY} ${FAILOVER_MS}`,
      `sentinel parallel-syncs ${PRIMARY} 1`,
    ];
    const options = { name, dir: `${DATA}/${name}`, password, settings, isSentinel: true };
    return new Redis(file, port, context, options);
  });

  /** The primary in the newest configuration: after a failover the Sentinels hear of it one by one. */
  const primary = async () => {
    const answers = await Promise.allSettled(sentinels.map(viewOf));
    const views = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const [newest] = views.sort((one, other) => other('config-epoch') - one('config-epoch'));
    const found = nodes.find(({ port }) => port === newest?.('port'));
    if (found) return found;
    throw new StackError('No Sentinel answers; start one with `start sentinel-1`.');
  };
  return {
    url: `${urlOfGroup('sentinel', password, sentinels)}/${PRIMARY}`,
    processes: [...nodes, ...sentinels] as [Redis, ...Redis[]],
    start: async () => {
      const startAll = (group: Redis[]) => Promise.all(group.map((process) => process.start()));
      if (isNew) {
        await startAll(nodes);
        // A Sentinel asks a primary for its replicas at once, and then every 10 s.
        await eventually(() => assertInSync(nodes[0]), FORM_MS);
        await startAll(sentinels);
      } else {
        await startAll(sentinels); // they know the last primary
        await startAll(nodes);
      }
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
  const view = await viewOf(sentinel);
  if (view('num-slaves') === 2 && view('num-other-sentinels') === 2) return;
  throw new StackError(`${sentinel.name} does not see two replicas and two other Sentinels.`);
}

/** What a Sentinel knows of the primary: a number for each field. */
async function viewOf(sentinel: Redis): Promise<(field: string) => number> {
  const reply = await sentinel.ask(`SENTINEL MASTER ${PRIMARY}`);
  const parts = reply.split('\r\n');
  return (field) => Number(parts[parts.indexOf(field) + 2]); // after the length of the value
}
