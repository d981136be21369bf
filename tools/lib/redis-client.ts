import { createClient, type RedisClientType } from 'redis';

/** Looks into a Redis over a connection of its own, apart from those of the instances. */
export async function inRedis<T>(
  url: string,
  look: (redis: RedisClientType) => Promise<T>,
): Promise<T> {
  const redis: RedisClientType = createClient({ url });
  redis.on('error', () => {});
  await redis.connect();
  try {
    return await look(redis);
  } finally {
    redis.destroy();
  }
}

/** All keys of sessions and the cache: not the agreed secret, nor what is noted of recent changes. */
export async function keysOf(url: string): Promise<string[]> {
  const keys = await inRedis(url, (redis) => redis.keys('*'));
  return keys.filter((key) => !/^(secret|applied):/.test(key)).sort();
}
