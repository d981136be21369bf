/** One Redis, several of which Sentinels name the primary, or a Redis Cluster. */
export type RedisAddress =
  | { kind: 'single'; url: string }
  | {
      kind: 'sentinel';
      /** The URLs of the Sentinels. */
      sentinels: string[];
      /** The name under which they know the primary. */
      name: string;
      /** The URL of a Redis that they name. */
      urlOf: (host: string, port: string) => string;
    }
  | {
      kind: 'cluster';
      /** The URLs of some nodes, which know the others. */
      seeds: string[];
      /** The URL of a node. */
      urlOf: (host: string, port: string) => string;
    };

/** A URL that no client can use. The message says why. */
export class RedisUrlError extends Error {
  override name = 'RedisUrlError';
}

/** What a URL of Redis looks like. */
export const REDIS_URLS =
  'redis://host, rediss://host, redis+sentinel://host1,host2,host3/name or ' +
  'redis+cluster://host1,host2,host3';

const PARTS = /^(rediss?)(\+sentinel|\+cluster)?:\/\/([^/?#]*@)?([^/?#@]+)(\/[^?#]*)?$/;
const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;

/**
 * Reads `redis://user:password@host:port/database`, `rediss://…` for TLS,
 * `redis+sentinel://user:password@host1,host2,host3/name/database`, or
 * `redis+cluster://user:password@host1,host2,host3`. User and password are those of Redis and of the
 * Sentinels.
 *
 * @throws {RedisUrlError}
 */
export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme, several, user = '', list = '', path = ''] = PARTS.exec(url) ?? [];
  if (scheme === undefined) throw new RedisUrlError(`must be ${REDIS_URLS}`);
  if (!isDecodable(user)) throw new RedisUrlError('write a % in the user or the password as %25');
  const hosts = list.split(',');
  if (!hosts.every((host) => URL.canParse(`redis://${host}`))) {
    throw new RedisUrlError('a host must be a name or an address, and may have :port');
  }
  const urls = (defaultPort: number) =>
    hosts.map((host) => {
      const { port } = new URL(`redis://${host}`);
      return `${scheme}://${user}${host}${port === '' ? `:${defaultPort}` : ''}`;
    });
  const urlOf = (host: string, port: string) =>
    `${scheme}://${user}${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (several === '+cluster') {
    if (path.length > 1) throw new RedisUrlError('a Redis Cluster has no name and no database');
    return { kind: 'cluster', seeds: urls(REDIS_PORT), urlOf };
  }
  if (several === '+sentinel') {
    const [, name, database = ''] = /^\/([\w.-]+)(\/\d+)?$/.exec(path) ?? [];
    if (name === undefined) {
      throw new RedisUrlError('after the hosts the name of the primary must follow: /shared-state');
    }
    return {
      ...{ kind: 'sentinel', sentinels: urls(SENTINEL_PORT), name },
      urlOf: (host, port) => urlOf(host, port) + database,
    };
  }
  if (hosts.length > 1) {
    throw new RedisUrlError('several hosts need redis+sentinel:// or redis+cluster://');
  }
  if (!/^\/?\d*$/.test(path)) {
    throw new RedisUrlError('after the host only a number may follow, the database');
  }
  return { kind: 'single', url };
}

/**
 * Adds a password to a URL of Redis. Redis knows it as the one of the user in the URL, or of
 * `default`.
 *
 * @throws {RedisUrlError} if the URL has a password
 */
export function withPassword(url: string, password: string): string {
  const [, scheme, user = '', rest] = /^([^/]*\/\/)(?:([^/?#]*)@)?(.*)$/.exec(url) ?? [];
  if (user.includes(':')) throw new RedisUrlError('REDIS_URL has a password too; set one of them');
  return `${scheme}${user}:${encodeURIComponent(password)}@${rest}`;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
