import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import pLimit from 'p-limit';
import type { Incoming, Outgoing } from './modules/http.ts';

/** Requests of one batch that are in progress at the same time: k6's `batchPerHost`. */
const BATCH = 6;

/** Sends the requests of one VU, with connections and cookies of its own. */
export class HttpClient {
  readonly #agents: Record<string, http.Agent>;
  /** Of one site: a script has one address. */
  readonly #cookies = new Map<string, string>();
  readonly #aborted = new AbortController();

  /** @param isInsecure whether any certificate is accepted */
  constructor(isInsecure: boolean) {
    this.#agents = {
      'http:': new http.Agent({ keepAlive: true }),
      'https:': new https.Agent({ keepAlive: true, rejectUnauthorized: !isInsecure }),
    };
  }

  /** Resolves to the replies, in the order of the requests. */
  async send(requests: Outgoing[]): Promise<Incoming[]> {
    const limit = pLimit(BATCH);
    return Promise.all(requests.map((one) => limit(() => this.#exchange(one))));
  }

  forgetCookies(): void {
    this.#cookies.clear();
  }

  /** Ends the requests in progress. */
  abort(): void {
    this.#aborted.abort();
  }

  async #exchange(request: Outgoing): Promise<Incoming> {
    const { method, url, body, timeout } = request;
    const expired = AbortSignal.timeout(timeout);
    const signal = AbortSignal.any([expired, this.#aborted.signal]);
    const { protocol } = new URL(url);
    const cookie = [...this.#cookies].map((pair) => pair.join('=')).join('; ');
    const length = body === null ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const headers = { ...(cookie && { cookie }), ...length, ...request.headers };
    let startedAt = performance.now();
    const timings = () => ({ duration: performance.now() - startedAt });
    const client = protocol === 'https:' ? https : http;
    const req = client.request(url, { method, agent: this.#agents[protocol], headers, signal });
    req.on('error', () => {}); // it reaches the caller below, if that still waits
    req.once('socket', (socket) => {
      if (!socket.connecting) return;
      socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => {
        startedAt = performance.now();
      });
    });
    try {
      req.end(body ?? undefined);
      const [res] = (await once(req, 'response', { signal })) as [IncomingMessage];
      const received = await text(res);
      this.#keepCookies(res.headers['set-cookie'] ?? []);
      return { ...replyOf(res), body: received, timings: timings() };
    } catch (err) {
      // The server has just closed an idle connection: k6 sends a request without effect again.
      const { code, message } = err as NodeJS.ErrnoException;
      const isClosed = req.reusedSocket && code === 'ECONNRESET' && !signal.aborted;
      if (isClosed && method === 'GET') return this.#exchange(request);
      const error = expired.aborted ? 'request timeout' : message || code || 'no reply';
      return { status: 0, headers: {}, body: '', error, timings: timings() };
    }
  }

  #keepCookies(lines: string[]): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^\s*([^=;]+)=([^;]*)/.exec(line) ?? [];
      const [, expires = ''] = /;\s*expires=([^;]+)/i.exec(line) ?? [];
      if (Date.parse(expires) <= Date.now()) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}

function replyOf(res: IncomingMessage): Pick<Incoming, 'status' | 'headers' | 'error'> {
  const {
    statusCode: status = 0,
    headersDistinct,
    headers: { location },
  } = res;
  const headers = Object.entries(headersDistinct).map(([name, values = []]) => [
    name.replace(/(^|-)[a-z]/g, (first) => first.toUpperCase()),
    values.join(', '),
  ]);
  const all = { headers: Object.fromEntries(headers) };
  if (status < 300 || status >= 400) return { ...all, status, error: '' };
  return { ...all, status: 0, error: `it redirects to ${location}, which only k6 follows` };
}
