import { fail, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { BASE_URL } from './settings.ts';

export type Response = ReturnType<typeof http.request>;

/** Shorter than k6's graceful stop, so that a request without a reply is counted as failed. */
const TIMEOUT = '5s';
const JSON_TYPE = 'application/json';
/** Further requests to find all instances, and the seconds between them. */
const FURTHER = 30;
const FURTHER_SECONDS = 0.1;

/** The instances that must serve: `-e INSTANCES=5` stands for app-1 to app-5; names can be listed. */
export const INSTANCES = instanceNames(__ENV.INSTANCES || '3');

/** Requests by the tag `instance`. */
const served = new Counter('served');

/**
 * Sends a request as the visitor whose cookie this VU has. k6 empties the cookie jar after each
 * iteration: then it is another visitor.
 *
 * @param name tag of the request in the metrics
 */
export function send(
  method: string,
  path: string,
  name: string,
  body?: object,
  headers: Record<string, string> = {},
): Response {
  const request = requestTo(method, path, name, body, headers);
  return noted(http.request(request.method, request.url, request.body, request.params));
}

/** Sends the same `GET` request several times at once. */
export function sendAtOnce(path: string, name: string, times: number): Response[] {
  const requests = Array.from({ length: times }, () => requestTo('GET', path, name));
  return http.batch(requests).map(noted);
}

/** The instance that answered, by its header; empty without an answer. */
export function instanceOf(response: Response): string {
  return response.headers['X-Instance'] ?? '';
}

/** A field of a JSON reply; `undefined` if the reply is not JSON. */
export function field(response: Response, name: string): unknown {
  try {
    return response.json(name);
  } catch {
    return undefined;
  }
}

/**
 * Refuses a site that is not this project, that other instances serve than {@link INSTANCES}, or
 * that would be judged by other scenarios than those of the script.
 *
 * @param instances how many the claim of the script needs
 * @throws which ends the run with exit code 107
 */
export function openSite({ scenarios }: { scenarios: object }, instances: number): void {
  const names = Object.keys(exec.test.options.scenarios ?? {});
  if (names.sort().join() !== Object.keys(scenarios).sort().join()) {
    fail('-u, -d, -i and -s replace what this test judges: use its settings, such as -e VUS=5');
  }
  if (INSTANCES.length < instances) fail(`This test needs ${instances} instances or more.`);
  const first = look('GET', '/');
  if (first.status === 0) fail(`${BASE_URL} does not answer (${first.error}): run "npm start"`);
  if (instanceOf(first) === '' || field(first, 'views') !== 1) {
    fail(`${BASE_URL} is another program: GET / did not answer with the first view of a session`);
  }
  const found = new Set<string>();
  const enough = 2 * INSTANCES.length;
  for (let i = 0; i < enough + FURTHER && found.size < INSTANCES.length; i += 1) {
    // nginx asks an instance with requests in progress last, and one that has failed two seconds later.
    if (i >= enough) sleep(FURTHER_SECONDS);
    found.add(instanceOf(look('GET', '/livez')));
  }
  const [seen, expected] = [[...found].sort().join(', '), INSTANCES.join(', ')];
  if (seen !== expected)
    fail(`${seen} answered, not ${expected}: start these, or set -e INSTANCES`);
}

function requestTo(
  method: string,
  path: string,
  name: string,
  body?: object,
  own: Record<string, string> = {},
) {
  const headers = { Accept: JSON_TYPE, ...(body && { 'Content-Type': JSON_TYPE }), ...own };
  const params = { headers, tags: { name }, timeout: TIMEOUT };
  return { method, url: BASE_URL + path, body: body ? JSON.stringify(body) : null, params };
}

/** Sends a request that is no part of what is measured. */
function look(method: string, path: string): Response {
  const { url, params } = requestTo(method, path, 'setup');
  return http.request(method, url, null, params);
}

function noted(response: Response): Response {
  served.add(1, { instance: instanceOf(response) });
  return response;
}

function instanceNames(text: string): string[] {
  if (!/^\d+$/.test(text)) return text.split(',').sort();
  return Array.from({ length: Number(text) }, (_, i) => `app-${i + 1}`).sort();
}
