import http, { type RefinedResponse } from 'k6/http';
import { Counter } from 'k6/metrics';
import { BASE_URL } from './settings.ts';
import { instanceOf, noteInstance, type Site } from './site.ts';

/** What one view of `GET /` showed; `views` is 0 where it failed. */
export interface View {
  views: number;
  session: string;
  instance: string;
}

const views = new Counter('views');
const PARAMS = { headers: { Accept: 'application/json' }, tags: { name: 'view' } };

/**
 * Views the page as the visitor whose cookie this VU has. k6 empties the cookie jar after each
 * iteration: then it is another visitor.
 */
export function view(site: Site): View {
  return read(site, http.get(`${BASE_URL}/`, PARAMS));
}

/** Views the page several times at once. */
export function viewAtOnce(site: Site, times: number): View[] {
  const requests = Array.from({ length: times }, () => ({
    method: 'GET',
    url: `${BASE_URL}/`,
    params: PARAMS,
  }));
  return http.batch(requests).map((response) => read(site, response));
}

function read(site: Site, response: RefinedResponse<'text'>): View {
  noteInstance(site, response);
  const instance = instanceOf(response);
  if (response.status !== 200) return { views: 0, session: '', instance };
  views.add(1);
  return { ...(response.json() as unknown as View), instance };
}

/** True where the views are those from 1 to `last`, each once; at once they may come in any order. */
export function isEachOnce(seen: View[], last: number): boolean {
  const numbers = seen.map((one) => one.views).sort((a, b) => a - b);
  return numbers.length === last && numbers.every((number, i) => number === i + 1);
}
