import { check, fail } from 'k6';
import { field, type Response, send } from './site.ts';

/** How the cache found an entry: in the instance, in Redis, or by a call of the origin. */
export type Found = 'local' | 'redis' | 'origin';

/** An answer of `GET /data/:key`. */
export interface Answer {
  isHit: boolean;
  found: Found;
  /** Numbers the calls of the origin for this key; 0 without a cache. */
  load: number;
  /** Milliseconds. */
  ms: number;
}

/**
 * Asks for an entry. Throws without one, which ends this iteration.
 *
 * @param name tag of the request in the metrics
 */
export function getData(key: string, name = 'data'): Answer {
  const response = send('GET', `/data/${key}`, name);
  const load = response.status === 200 ? Number(field(response, 'load')) : Number.NaN;
  const isThere = check(load, { 'an entry is there': Number.isInteger });
  if (!isThere) fail(`GET /data/${key} answered ${response.status} ${response.error}`);
  const isHit = response.headers['X-Cache'] === 'HIT';
  return { isHit, found: foundIn(response), load, ms: response.timings.duration };
}

/** Removes an entry from the caches of all instances. */
export function invalidate(key: string): void {
  const { status } = send('DELETE', `/data/${key}`, 'invalidate');
  check(status, { 'an entry is invalidated': (code) => code === 204 });
}

/** @see https://www.rfc-editor.org/rfc/rfc9211 The Cache-Status HTTP Response Header Field */
function foundIn(response: Response): Found {
  const status = response.headers['Cache-Status'] ?? '';
  if (status.startsWith('local; hit')) return 'local';
  return status.startsWith('redis; hit') ? 'redis' : 'origin';
}
