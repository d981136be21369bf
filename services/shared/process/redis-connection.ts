import { createClient, type RedisScripts } from 'redis';
import { createRedis, type RedisOptions } from './redis.ts';
import { followPrimary } from './redis-sentinel.ts';
import { parseRedisUrl } from './redis-url.ts';
import { waitForReplicas } from './replication.ts';

export interface ConnectionOptions<Scripts extends RedisScripts> extends RedisOptions<Scripts> {
  /** The names of scripts and commands that a visitor may be told of as done. */
  changes?: string[];
  /** How many replicas must have a change before it is done. */
  replicas: number;
}

/**
 * Connects a client to Redis, whichever way it runs.
 *
 * @param options `url`: as `parseRedisUrl` reads it
 */
export function connectRedis<Scripts extends RedisScripts>(options: ConnectionOptions<Scripts>) {
  const { changes = [], replicas, ...others } = options;
  const create = (url: string) => {
    const client = createRedis({ ...others, url });
    if (replicas > 0) waitForReplicas(client, changes, replicas);
    return client;
  };
  const address = parseRedisUrl(options.url);
  if (address.kind === 'single') return create(address.url);
  const offline = createClient({ scripts: options.scripts }) as ReturnType<typeof create>;
  return followPrimary(address, offline, create);
}
