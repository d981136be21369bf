import { Resolver } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';

/** The DNS server of Docker, in each container on a network of Compose. */
const DOCKER_DNS = '127.0.0.11';

/** Milliseconds; it answers in one or two. */
const TIMEOUT_MS = 1000;

/**
 * The name of this container in `docker ps`, without the project: `app-2` for `shared-state-app-2`.
 *
 * @returns resolves to `undefined` outside Docker Compose
 */
export async function containerName(): Promise<string | undefined> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  resolver.setServers([DOCKER_DNS]);
  // Not resolver.reverse(), which reads /etc/hosts first and finds the ID of the container there.
  const reversed = externalAddress().split('.').reverse().join('.');
  const [name = ''] = await resolver.resolvePtr(`${reversed}.in-addr.arpa`).catch(() => []);
  return /^(.+)-([\w.-]+)\.\1_/.exec(name)?.[2]; // project-name.project_network
}

/** The IPv4 address at which other machines reach this one, or loopback. */
export function externalAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const external = addresses.find(({ internal, family }) => !internal && family === 'IPv4');
  return external?.address ?? '127.0.0.1';
}
