/** One Redis, or several of which Sentinels name the primary. */
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
    };

/** A URL that no client can use. The message says why. */
export class RedisUrlError extends Error {
  override name = 'RedisUrlError';
}

/** What a URL of Redis looks like. */
export const REDIS_URLS = 'redis://host, rediss://host or redis+sentinel://host1,host2,host3/name';

const PARTS = /^(rediss?)(\+sentinel)?:\/\/([^/?#]*@)?([^/?#@]+)(\/[^?#]*)?$/;
const SENTINEL_PORT = 26_379;

/**
 * Reads `redis://user:password@host:port/database`, `rediss://…` for TLS, or
 * `redis+sentinel://user:password@host1,host2,host3/name/database`. User and password are those of
 * Redis and of the Sentinels.
 *
 * @throws {RedisUrlError}
 */
export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme, isSentinel, user = '', list = '', path = ''] = PARTS.exec(url) ?? [];
  if (scheme === undefined) throw new RedisUrlError(`must be ${REDIS_URLS}`);
  if (!isDecodable(user)) throw new RedisUrlError('write a % in the user or the password as %25');
  const hosts = list.split(',');
  if (!hosts.every((host) => URL.canParse(`redis://${host}`))) {
    throw new RedisUrlError('a host must be a name or an address, and may have :port');
  }
  if (!isSentinel) {
    if (hosts.length > 1) throw new RedisUrlError('several hosts need redis+sentinel://');
    if (!/^\/?\d*$/.test(path)) {
      throw new RedisUrlError('after the host only a number may follow, the database');
    }
    return { kind: 'single', url };
  }
  const [, name, database = ''] = /^\/([\w.-]+)(\/\d+)?$/.exec(path) ?? [];
  if (name === undefined) {
    throw new RedisUrlError('after the hosts the name of the primary must follow: /shared-state');
  }
  const sentinels = hosts.map((host) => {
    const { port } = new URL(`redis://${host}`);
    return `${scheme}://${user}${host}${port === '' ? `:${SENTINEL_PORT}` : ''}`;
  });
  const urlOf = (host: string, port: string) =>
    `${scheme}://${user}${host.includes(':') ? `[${host}]` : host}:${port}${database}`;
  return { kind: 'sentinel', sentinels, name, urlOf };
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
