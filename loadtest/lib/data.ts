import http, { type RefinedResponse } from 'k6/http';
import { BASE_URL } from './settings.ts';
import { noteInstance, type Site } from './site.ts';

/** How the cache came to an answer. */
export type Found = 'local' | 'redis' | 'origin';

/** What `GET /data/:key` answered. */
export interface Answer {
  ok: boolean;
  isHit: boolean;
  found: Found;
  /** Numbers the calls of the origin for this key. */
  load: number;
  /** Milliseconds. */
  ms: number;
}

/** Asks for one thing of the catalogue. */
export function getData(site: Site, key: string): Answer {
  const response = http.get(`${BASE_URL}/data/${key}`, {
    headers: { Accept: 'application/json' },
    tags: { name: 'data' },
  });
  noteInstance(site, response);
  const ok = response.status === 200;
  return {
    ok,
    isHit: response.headers['X-Cache'] === 'HIT',
    found: foundIn(response),
    load: ok ? Number(response.json('load')) : 0,
    ms: response.timings.duration,
  };
}

/** Has all instances forget it. */
export function forgetData(site: Site, key: string): boolean {
  const response = http.del(`${BASE_URL}/data/${key}`, null, { tags: { name: 'forget' } });
  noteInstance(site, response);
  return response.status === 204;
}

/** @see https://www.rfc-editor.org/rfc/rfc9211 The Cache-Status HTTP Response Header Field */
function foundIn(response: RefinedResponse<'text'>): Found {
  const status = response.headers['Cache-Status'] ?? '';
  if (status.startsWith('local; hit')) return 'local';
  return status.startsWith('redis; hit') ? 'redis' : 'origin';
}
