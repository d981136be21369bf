import { createClient, createCluster, type RedisClientType } from 'redis';
import { parseRedisUrl } from '../../services/shared/process/redis-url.ts';

/**
 * Runs `work` on a connection of its own, apart from the connections of the instances.
 *
 * @param url as in REDIS_URL; a command without a key runs on all primaries of a Cluster
 */
export async function inRedis<T>(
  url: string,
  work: (redis: RedisClientType) => Promise<T>,
): Promise<T> {
  const redis = await clientOf(url);
  redis.on('error', () => {}); // the command fails too
  await redis.connect();
  try {
    return await work(redis);
  } finally {
    redis.destroy();
  }
}

async function clientOf(url: string): Promise<RedisClientType> {
  const address = parseRedisUrl(url);
  if (address.kind === 'single') return createClient({ url });
  if (address.kind === 'sentinel') {
    const command = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', address.name];
    const [sentinel = ''] = address.sentinels;
    const reply = await inRedis(sentinel, (redis) => redis.sendCommand<unknown>(command));
    const [host = '', port = ''] = reply as string[];
    return createClient({ url: address.urlOf(host, port) });
  }
  const rootNodes = address.seeds.map((seed) => ({ url: seed }));
  const { username, password } = new URL(address.seeds[0] ?? '');
  const cluster = createCluster({ rootNodes, defaults: { username, password } });
  const sendByKey = cluster.sendCommand.bind(cluster);
  const sendCommand = async (args: string[]) => {
    const [command = '', key] = args;
    if (!/^(ACL|CLIENT|CONFIG)$/.test(command)) return sendByKey(key, false, args);
    const nodes = await Promise.all(cluster.masters.map((node) => cluster.nodeClient(node)));
    const [first] = await Promise.all(nodes.map((node) => node.sendCommand(args)));
    return first;
  };
  return Object.assign(cluster, { sendCommand }) as unknown as RedisClientType;
}

/** All keys of sessions and of the cache: without the generated secret and the idempotency keys. */
export async function keysOf(url: string): Promise<string[]> {
  const keys = await inRedis(url, (redis) => redis.keys('*'));
  return keys.filter((key) => !/^(secret|applied):/.test(key)).sort();
}

/** A number from the reply of the command INFO, for example `used_memory` in bytes. */
export async function infoNumber(redis: RedisClientType, field: string): Promise<number> {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(await redis.info())?.[1]);
}
