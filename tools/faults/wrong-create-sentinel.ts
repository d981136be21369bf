import { createSentinel } from 'redis';
import { parseRedisUrl } from '../../services/shared/process/redis-url.ts';

/**
 * node-redis' own client for Sentinels, with its defaults. It is wrong for changes: it sends a
 * command again if its reply was lost, though the command may have been applied.
 *
 * @param url as of `connectRedis`, with Sentinels
 */
export async function wrongCreateSentinel(url: string) {
  const address = parseRedisUrl(url);
  if (address.kind !== 'sentinel') throw new TypeError(`no Sentinels: ${url}`);
  const nodes = address.sentinels.map((sentinel) => new URL(sentinel));
  const [{ password } = { password: '' }] = nodes;
  const client = createSentinel({
    name: address.name,
    sentinelRootNodes: nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port) })),
    nodeClientOptions: { password },
    sentinelClientOptions: { password },
  });
  client.on('error', () => {}); // the command fails too
  return client.connect();
}
