// A Redis Cluster of three primaries with a third of the keys each, and a replica of each.
import { slotOf } from '../../../services/shared/process/redis-slots.ts';
import { inRedis } from '../../lib/redis-client.ts';
import type { Redis } from '../../stack/redis.ts';
import { SHARDS } from '../../stack/redis-cluster.ts';
import type { Environment, Scenario } from '../environment.ts';
import type { Outcome } from '../load.ts';

/** Milliseconds after a fault in which requests must succeed again. Three seconds are usual. */
const BACK_MS = 5000;
/** Milliseconds in which every request must be answered. */
const REPLY_MS = 2000;

/** The shard of a session of the load: 0, 1, 2, 0. */
const shardOf = (session: number) => session % 3;

function slotOfCookie(cookie: string): number {
  const [, tag = ''] = /=s%3A(.{8})/.exec(cookie) ?? [];
  return slotOf(tag);
}

function isOnShard(cookie: string, session: number): boolean {
  const [first, last] = SHARDS[shardOf(session) as 0 | 1 | 2];
  const slot = slotOfCookie(cookie);
  return slot >= first && slot <= last;
}

/** The other shards serve all of their visitors meanwhile. The key of `/data` is on the first one. */
function isClear503OfShard({ request, session, status, retryAfter }: Outcome): boolean {
  const isOnFirst = request === 'DELETE /data' || shardOf(session) === 0;
  return isOnFirst && status === 503 && retryAfter !== undefined;
}

/** Breaks the primary of the first shard, and mends it as a replica of its successor. */
function primaryFault(begin: 'kill' | 'pause', end: 'start' | 'resume', replicas: number) {
  return async (environment: Environment) => {
    const { instances, topology } = environment.stack;
    const { 0: primary, 3: replica } = topology.processes;
    await environment.startLoad({ isWanted: isOnShard });
    await environment.wait(2000, 1000);
    if (replicas === 0) environment.allowLossOfLastSecond();
    const at = performance.now();
    await primary[begin]();
    await environment.requireWithin(BACK_MS, 'a successor', async () => {
      const { status } = await fetch(`http://127.0.0.1:${instances[0]?.port}/readyz`);
      environment.require(status === 200, `an instance answers its health check with ${status}`);
      const role = await replica?.ask('ROLE');
      if (!role?.includes('master')) throw new Error(`role: ${role}`);
    });
    // With one replica for each primary, the successor has none until the first one is back.
    if (replicas > 0) await primary[end]();
    await environment.wait(6000, 4000);
    const last = Math.max(0, ...environment.failures.map(({ from, ms }) => from + ms - at));
    environment.note(`last failure ${Math.round(last)} ms later`);
    environment.require(last > 0, 'the fault was not noticed');
    environment.require(last < BACK_MS, `requests failed for ${Math.round(last)} ms`);
    if (replicas === 0) await primary[end]();
    await environment.wait(2000, 1000);
    environment.requireFasterThan(REPLY_MS);
  };
}

/** Moves the slots of all sessions of the first shard to the second one and back, again and again. */
async function moveSlots(environment: Environment): Promise<void> {
  const [first, second] = environment.stack.topology.processes as [Redis, Redis];
  const slots = new Set<number>();
  await environment.startLoad({
    isWanted(cookie, session) {
      if (!isOnShard(cookie, session)) return false;
      if (shardOf(session) === 0) slots.add(slotOfCookie(cookie));
      return true;
    },
  });
  await environment.wait(2000, 1000);
  let [from, to] = [first, second];
  let keys = 0;
  const moves = await environment.repeat(environment.amount(8000, 4000), 300, async () => {
    for (const slot of slots) keys += await moveSlot(slot, from, to);
    [from, to] = [to, from];
  });
  environment.note(`${slots.size} slots moved ${moves} times, with ${keys} keys in all`);
  environment.require(keys > moves, 'the slots were empty');
  environment.requireFasterThan(REPLY_MS);
}

/**
 * Moves a slot with its keys, as `redis-cli --cluster reshard` does.
 *
 * @returns the number of keys
 * @see https://redis.io/docs/latest/commands/cluster-setslot/
 */
async function moveSlot(slot: number, from: Redis, to: Redis): Promise<number> {
  const { username, password, hostname, port } = new URL(to.url);
  return inRedis(from.url, (source) =>
    inRedis(to.url, async (target) => {
      const ask = (redis: typeof source, ...args: (string | number)[]) =>
        redis.sendCommand(args.map(String));
      const toId = String(await ask(target, 'CLUSTER', 'MYID'));
      const fromId = String(await ask(source, 'CLUSTER', 'MYID'));
      await ask(target, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
      await ask(source, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
      let moved = 0;
      for (;;) {
        const reply = await ask(source, 'CLUSTER', 'GETKEYSINSLOT', slot, 2);
        const keys = (reply as unknown as string[]).map(String);
        if (keys.length === 0) break;
        const how = [0, 5000, 'AUTH2', username, password, 'KEYS'];
        await ask(source, 'MIGRATE', hostname, port, '', ...how, ...keys);
        moved += keys.length;
      }
      await ask(target, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId);
      await ask(source, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId);
      return moved;
    }),
  );
}

function scenario(
  name: string,
  should: string,
  replicas: number,
  run: Scenario['run'],
  more: Partial<Scenario> = {},
): Scenario {
  const env = { REDIS_WAIT_REPLICAS: String(replicas) };
  return { name, should, redis: 'cluster', env, run, ...more };
}

export const clusterScenarios: Scenario[] = [
  scenario(
    'shard-killed',
    'lose nothing and fail only visitors of one shard if its primary is killed',
    1,
    primaryFault('kill', 'start', 1),
    { mayFail: isClear503OfShard },
  ),
  scenario(
    'shard-killed-for-good',
    'fail only visitors of one shard, until its replica serves, if no change waits for a replica',
    0,
    primaryFault('kill', 'start', 0),
    { mayFail: isClear503OfShard, isLong: true },
  ),
  scenario(
    'shard-hangs',
    'lose nothing and fail only visitors of one shard if its primary hangs and comes back',
    1,
    primaryFault('pause', 'resume', 1),
    { mayFail: isClear503OfShard, isLong: true },
  ),
  scenario('slots-moved', 'fail no request while slots move to another shard', 1, moveSlots),
];
