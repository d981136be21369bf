// The module `k6/http`.
import { ask, refuse, strict, tagsOf, vu } from './host.ts';

/** A request as the runner gets it. */
export interface Outgoing {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | null;
  tags: Record<string, string>;
  /** Milliseconds. */
  timeout: number;
  redirects: number;
}

/** A reply as the runner gives it. */
export interface Incoming {
  status: number;
  status_text: string;
  proto: string;
  url: string;
  headers: Record<string, string>;
  body: string;
  error: string;
  error_code: number;
  /** Milliseconds. */
  timings: Timings;
}

export interface Timings {
  blocked: number;
  connecting: number;
  tls_handshaking: number;
  sending: number;
  waiting: number;
  receiving: number;
  duration: number;
}

const MINUTE_MS = 60_000;
const MAX_REDIRECTS = 10;

class Response {
  constructor(incoming: Incoming) {
    Object.assign(this, incoming);
  }

  /** The body as JSON, or what `selector`, a path of names and indexes with dots between, picks of it. */
  json(selector?: string): unknown {
    const { body } = this as unknown as Incoming;
    let value = JSON.parse(body);
    if (selector === undefined) return value;
    if (!/^\w+(\.\w+)*$/.test(selector)) refuse(`json(${JSON.stringify(selector)})`);
    for (const key of selector.split('.')) value = value?.[key];
    return value;
  }
}

type Body = string | Record<string, unknown> | null | undefined;
interface Params {
  headers?: object;
  tags?: object;
  timeout?: number | string;
  redirects?: number;
}

function outgoing(method: string, url: string, body?: Body, params?: Params | null): Outgoing {
  const { headers, tags, timeout, redirects, ...others } = params ?? {};
  for (const name of Object.keys(others)) refuse(`http: the parameter ${name}`);
  const sent = tagsOf(headers);
  const isForm = typeof body === 'object' && body !== null;
  if (isForm && !Object.keys(sent).some((name) => name.toLowerCase() === 'content-type')) {
    sent['Content-Type'] = 'application/x-www-form-urlencoded';
  }
  return {
    method: method.toUpperCase(),
    url: String(url),
    headers: sent,
    body: isForm ? formOf(body) : (body ?? null),
    tags: { group: vu.group, ...tagsOf(tags) },
    timeout: milliseconds(timeout),
    redirects: redirects ?? MAX_REDIRECTS,
  };
}

function formOf(fields: Record<string, unknown>): string {
  const encode = (text: unknown) => encodeURIComponent(String(text)).replaceAll('%20', '+');
  return Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1)) // as Go does
    .map((pair) => pair.map(encode).join('='))
    .join('&');
}

function milliseconds(timeout: number | string = MINUTE_MS): number {
  if (typeof timeout === 'number') return timeout;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(timeout) ?? [];
  if (!number) refuse(`http: the timeout ${timeout}`);
  return Number(number) * { ms: 1, s: 1000, m: MINUTE_MS }[unit as 'ms' | 's' | 'm'];
}

function send(requests: Outgoing[]): Response[] {
  if (vu.inInit) throw new Error('requests cannot be made in the init context');
  const replies = ask('request', requests) as Incoming[];
  return replies.map((reply) => strict('Response', new Response(reply)));
}

/** Sends one request and waits for its reply. */
export function request(method: string, url: string, body?: Body, params?: Params): Response {
  return send([outgoing(method, url, body, params)])[0] as Response;
}

export const get = (url: string, params?: Params) => request('GET', url, null, params);
export const head = (url: string, params?: Params) => request('HEAD', url, null, params);
export const post = (url: string, body?: Body, params?: Params) =>
  request('POST', url, body, params);
export const put = (url: string, body?: Body, params?: Params) => request('PUT', url, body, params);
export const patch = (url: string, body?: Body, params?: Params) =>
  request('PATCH', url, body, params);
export const del = (url: string, body?: Body, params?: Params) =>
  request('DELETE', url, body, params);

type Batched =
  | string
  | [method: string, url: string, body?: Body, params?: Params]
  | { method: string; url: string; body?: Body; params?: Params };

/** Sends requests at once, six at most to one host, and waits for all replies. */
export function batch(requests: Batched[]): Response[] {
  if (!Array.isArray(requests)) refuse('http.batch() of an object');
  return send(
    requests.map((one) => {
      if (typeof one === 'string') return outgoing('GET', one);
      if (Array.isArray(one)) return outgoing(...one);
      return outgoing(one.method, one.url, one.body, one.params);
    }),
  );
}

export default { batch, del, get, head, patch, post, put, request };
