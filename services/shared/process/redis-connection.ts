import type { RedisScripts } from 'redis';
import { countEvictions, type Evictions } from './evictions.ts';
import { createRedis, newClient, type RedisOptions } from './redis.ts';
import { routeByKey, type Shards } from './redis-cluster.ts';
import { type FollowOptions, followPrimary } from './redis-sentinel.ts';
import { parseRedisUrl } from './redis-url.ts';
import { waitForReplicas } from './replication.ts';

export interface ConnectionOptions<Scripts extends RedisScripts>
  extends RedisOptions<Scripts>,
    Pick<FollowOptions, 'currentReads'> {
  /** The names of scripts and commands that a visitor may be told of as done. */
  changes?: string[];
  /** How many replicas must have a change before it is done. */
  replicas: number;
  /** Counts the evictions of these keys. */
  evictions?: Evictions;
}

/**
 * Connects a client to Redis, whichever way it runs.
 *
 * @param options `url`: as `parseRedisUrl` reads it
 */
export function connectRedis<Scripts extends RedisScripts>(
  options: ConnectionOptions<Scripts>,
): Client<Scripts> & Partial<Shards<Client<Scripts>>> {
  const { changes = [], replicas, evictions, ...others } = options;
  const address = parseRedisUrl(options.url);
  const create = (url: string) => {
    const name = address.kind === 'cluster' ? `${others.name} ${new URL(url).host}` : others.name;
    const client = createRedis({ ...others, url, name });
    if (replicas > 0) waitForReplicas(client, changes, replicas);
    if (evictions) countEvictions(client, evictions, others.log);
    return client;
  };
  if (address.kind === 'single') return create(address.url);
  const offline = newClient(options.scripts);
  if (address.kind === 'cluster') return routeByKey(address, offline, create, options);
  return followPrimary(address, offline, create, options);
}

type Client<Scripts extends RedisScripts> = ReturnType<typeof createRedis<Scripts>>;
