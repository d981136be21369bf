// What the checks of several exercises need.
import { quoted } from '../../tools/lib/errors.mjs';
import type { Reply, Visitor } from '../../tools/lib/visitor.ts';
import type { Deployment } from './environment.ts';

/**
 * Views the page of an exercise once, as `visitor`.
 *
 * @throws {Error} if the reply is not `Views: N` with status 200
 */
export async function viewsOf(visitor: Visitor): Promise<number> {
  const { status, body } = await visitor.send();
  const [, views] = /^Views: (\d+)$/.exec(body) ?? [];
  if (status === 200 && views) return Number(views);
  throw new Error(`GET / answered ${status} with ${quoted(body)}, not 200 with "Views: N".`);
}

/**
 * The keys in Redis without a time to live.
 *
 * @param except a prefix: keys with it do not count
 */
export async function endlessKeys(deployment: Deployment, except?: string): Promise<string[]> {
  const keys = await keysOf(deployment, except);
  const ttls = await Promise.all(keys.map((key) => deployment.redis('TTL', key)));
  return keys.filter((_, i) => ttls[i] === '-1');
}

/**
 * Removes all keys with a time to live, as if it had ended.
 *
 * @param except a prefix: keys with it stay
 */
export async function expireAll(deployment: Deployment, except?: string): Promise<void> {
  const endless = new Set(await endlessKeys(deployment, except));
  const keys = await keysOf(deployment, except);
  for (const key of keys) if (!endless.has(key)) await deployment.redis('DEL', key);
}

/** The names of the keys in Redis, except those of a prefix. */
export async function keysOf(deployment: Deployment, except?: string): Promise<string[]> {
  const keys = (await deployment.redis('KEYS', '*')).split('\n').filter(Boolean);
  return keys.filter((key) => !except || !key.startsWith(except));
}

/** The addresses of the instances that nginx has asked for a reply, the last one last. */
export function askedInstances({ headers }: Reply): string[] {
  return String(headers['x-upstream-addr'] ?? '').split(/[\s,:]+(?=\d+\.)/);
}

/** Tells whether nginx gave this reply itself, because no instance did. */
export function isFromNginx({ status, body }: Reply): boolean {
  return (status === 502 || status === 504) && body.includes(`"status":${status}`);
}
