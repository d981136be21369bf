import { fail } from 'k6';
import http, { type RefinedResponse } from 'k6/http';
import { Counter } from 'k6/metrics';
import { BASE_URL } from './settings.ts';

type Response = RefinedResponse<'text'>;

/** What `setup` has found out about the site, for all VUs. */
export interface Site {
  /** The names of the instances that answered. */
  instances: string[];
}

/** Requests in which the instances are looked for: enough for ten of them. */
const LOOKS = 30;
/** Metrics can be made in the init code only, when nobody has been asked for a name yet. */
const SLOTS = 10;
const served = Array.from({ length: SLOTS }, (_, slot) => new Counter(`served_by_${slot + 1}`));
const servedByOthers = new Counter('served_by_others');

/** Finds the instances behind the proxy. Throws where nothing answers there. */
export function setup(): Site {
  const names = new Set<string>();
  for (let i = 0; i < LOOKS; i += 1) {
    const response = http.get(`${BASE_URL}/livez`, { tags: { name: 'livez' } });
    if (response.status !== 200) fail(`${BASE_URL} does not answer: is it running (npm start)?`);
    names.add(instanceOf(response));
  }
  return { instances: [...names].sort().slice(0, SLOTS) };
}

/** Notes who answered. */
export function noteInstance(site: Site, response: Response): void {
  const name = instanceOf(response);
  const counter = served[site.instances.indexOf(name)] ?? servedByOthers;
  counter.add(1, { instance: name });
}

/** The instance that answered, by its header; empty where there was no answer. */
export function instanceOf(response: Response): string {
  return response.headers['X-Instance'] ?? '';
}

/** Requests by instance, from the values of the counters by the number of their slot. */
export function servedBy(
  site: Site | undefined,
  countOf: (metric: string) => number,
): { name: string; requests: number }[] {
  const names = site?.instances ?? [];
  return [
    ...names.map((name, slot) => ({ name, requests: countOf(`served_by_${slot + 1}`) })),
    { name: 'others', requests: countOf('served_by_others') },
  ].filter(({ requests }) => requests > 0);
}
