import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { lanAddress } from '../lib/network.mjs';

const LOOPBACK = /^(127\.|::1$)/;

/**
 * The URL at which other machines reach a stack.
 *
 * @param bind the address that nginx listens on
 * @returns `undefined` if no other machine reaches it
 */
export function publicUrl(
  scheme: 'http' | 'https',
  bind: string,
  port: number,
): string | undefined {
  if (LOOPBACK.test(bind)) return undefined;
  const address = bind === '0.0.0.0' || bind === '::' ? lanAddress() : bind;
  return address && urlOf(scheme, address, port);
}

/** The URL of a host name or an IP address. */
export function urlOf(scheme: 'http' | 'https', host: string, port: number): string {
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * The settings of fault injection: on by default if only this machine reaches the stack. If other
 * machines reach it, directly or through a proxy, it requires the key of the presenter.
 */
export function faultInjectionSettings(bind: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isPublic = !LOOPBACK.test(bind) || Boolean(env.TRUSTED_PROXIES);
  const isSafe = !isPublic && env.NODE_ENV !== 'production';
  const FAULT_INJECTION = env.FAULT_INJECTION || (isSafe ? 'on' : 'off');
  if (FAULT_INJECTION !== 'on' || !isPublic) return { FAULT_INJECTION };
  const PRESENTER_KEY = env.PRESENTER_KEY || randomBytes(6).toString('base64url');
  return { FAULT_INJECTION, PRESENTER_KEY };
}
