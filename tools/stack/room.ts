import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

const LOOPBACK = /^(127\.|::1$)/;
/** How the networks are called that only this machine is in: Docker's, virtual machines', tunnels. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|bridge|utun|tun|tap|zt|tailscale|wg)/;

/**
 * Where others reach a stack.
 *
 * @param bind the address that nginx listens on
 * @returns `undefined` where nobody else does
 */
export function roomUrl(bind: string, port: number): string | undefined {
  if (LOOPBACK.test(bind)) return undefined;
  const isAny = bind === '0.0.0.0' || bind === '::';
  const address = isAny ? ownAddress() : bind;
  return address && `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

/** An address of this machine in its network. */
export function ownAddress(networks = networkInterfaces()): string | undefined {
  const addresses = Object.entries(networks).flatMap(([name, its = []]) =>
    VIRTUAL.test(name) ? [] : its,
  );
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

/**
 * Whether things may be broken from the page: here by whoever sits at this machine, and elsewhere
 * only where it was asked for, and by whoever has the presenter's key.
 */
export function chaosSettings(bind: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isOpen = !LOOPBACK.test(bind);
  const FAULT_INJECTION =
    env.FAULT_INJECTION || (isOpen || env.NODE_ENV === 'production' ? 'off' : 'on');
  if (FAULT_INJECTION !== 'on' || !isOpen) return { FAULT_INJECTION };
  return {
    FAULT_INJECTION,
    PRESENTER_KEY: env.PRESENTER_KEY || randomBytes(6).toString('base64url'),
  };
}
