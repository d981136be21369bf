// @ts-check
import { networkInterfaces } from 'node:os';

/** Names of networks inside this machine: Docker, virtual machines, tunnels. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|bridge|utun|tun|tap|zt|tailscale|wg)/;

/**
 * The IPv4 addresses of this machine in its local networks.
 *
 * @returns {string[]}
 */
export function lanAddresses(networks = networkInterfaces()) {
  return Object.entries(networks)
    .flatMap(([name, addresses = []]) => (VIRTUAL.test(name) ? [] : addresses))
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
}

/**
 * The first of these addresses.
 *
 * @returns {string | undefined}
 */
export function lanAddress(networks = networkInterfaces()) {
  return lanAddresses(networks)[0];
}
