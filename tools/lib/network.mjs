// @ts-check
import { networkInterfaces } from 'node:os';

/** Names of networks inside this machine: Docker, virtual machines, tunnels. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|bridge|utun|tun|tap|zt|tailscale|wg)/;

/**
 * The IPv4 address of this machine in its local network.
 *
 * @returns {string | undefined}
 */
export function lanAddress(networks = networkInterfaces()) {
  return Object.entries(networks)
    .flatMap(([name, addresses = []]) => (VIRTUAL.test(name) ? [] : addresses))
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}
