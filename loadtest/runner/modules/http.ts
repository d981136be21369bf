// The module `k6/http`.
import { exchange, record } from './host.ts';

/** A request as the runner gets it. */
export interface Outgoing {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | null;
  /** Milliseconds. */
  timeout: number;
}

/** A reply as the runner passes it. Without one, `status` is 0 and `error` says why. */
export interface Incoming {
  status: number;
  /** By canonical name, such as `X-Cache`. */
  headers: Record<string, string>;
  body: string;
  error: string;
  /** In milliseconds, without the time to connect. */
  timings: { duration: number };
}

interface Response extends Omit<Incoming, 'body'> {
  /** A field of the body, which is JSON: a path of names and indexes with dots between. */
  json(selector?: string): unknown;
}

interface Params {
  headers: Record<string, string>;
  /** `name` stands for the address in the metrics. */
  tags: { name: string };
  /** Such as `5s`. */
  timeout: string;
}

interface Batched {
  method: string;
  url: string;
  body: string | null;
  params: Params;
}

function request(method: string, url: string, body: string | null, params: Params): Response {
  return batch([{ method, url, body, params }])[0] as Response;
}

/** Sends requests at once, six at most. */
function batch(requests: Batched[]): Response[] {
  const outgoing = requests.map(({ params: { headers, timeout }, method, url, body }) => {
    return { method, url, headers, body, timeout: 1000 * Number.parseFloat(timeout) };
  });
  return exchange(outgoing).map((reply, i) => note(requests[i] as Batched, reply));
}

function note({ method, params }: Batched, { body, ...reply }: Incoming): Response {
  const isExpected = reply.status >= 200 && reply.status < 400;
  const tags = { method, status: reply.status, expected_response: isExpected, ...params.tags };
  record('http_reqs', 1, tags);
  record('http_req_failed', Number(!isExpected), tags);
  record('http_req_duration', reply.timings.duration, tags);
  const json = (selector = '') =>
    selector.split('.').reduce((value, key) => (key ? value?.[key] : value), JSON.parse(body));
  return { ...reply, json };
}

export default { batch, request };
