import { createClient, type RedisClientType } from 'redis';

/** Runs `work` on a connection of its own, apart from the connections of the instances. */
export async function inRedis<T>(
  url: string,
  work: (redis: RedisClientType) => Promise<T>,
): Promise<T> {
  const redis: RedisClientType = createClient({ url });
  redis.on('error', () => {}); // the command fails too
  await redis.connect();
  try {
    return await work(redis);
  } finally {
    redis.destroy();
  }
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
