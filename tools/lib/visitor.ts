import { once } from 'node:events';
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

/** A reply, read to its end. */
export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** Milliseconds from the request to the end of the reply. */
  ms: number;
}

/** Options of a request. */
export interface Sending {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string;
  /** Keeps connections; without an agent each request opens a connection. */
  agent?: Agent;
  /** Ends a request that takes too long. */
  signal?: AbortSignal;
}

/** Sends one request. Rejects if there is no reply. */
export async function send(url: string, { body, ...options }: Sending = {}): Promise<Reply> {
  const from = performance.now();
  const req = request(url, { agent: false, ...options });
  req.end(body);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const received = await text(res);
  const ms = performance.now() - from;
  return { status: res.statusCode ?? 0, headers: res.headers, body: received, ms };
}

/** The JSON reply of `GET /`. */
export interface Seen {
  views: number;
  instance: string;
  session: string;
}

/** A client that keeps its cookies, as a browser does. */
export class Visitor {
  readonly cookies: Map<string, string>;
  readonly url: string;

  /** @param cookies by name; sites on other ports of the host share them */
  constructor(url: string, cookies = new Map<string, string>()) {
    this.url = url;
    this.cookies = cookies;
  }

  /** The value of its `Cookie` header; empty without cookies. */
  get cookie(): string {
    return [...this.cookies].map((pair) => pair.join('=')).join('; ');
  }

  async send(path = '/', sending: Sending = {}): Promise<Reply> {
    const { cookie } = this;
    const headers = { ...(cookie && { cookie }), ...sending.headers };
    const reply = await send(this.url + path, { ...sending, headers });
    for (const line of reply.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.cookies.set(name, value);
    }
    return reply;
  }

  /** Sends a JSON body. */
  async post(path: string, body: unknown, sending: Sending = {}): Promise<Reply> {
    const headers = { 'content-type': 'application/json', ...sending.headers };
    return this.send(path, { ...sending, method: 'POST', headers, body: JSON.stringify(body) });
  }

  /** @throws {Error} if the reply is not 200 */
  async view(): Promise<Seen> {
    const reply = await this.send('/', { headers: { accept: 'application/json' } });
    if (reply.status !== 200) throw new Error(`GET / answered ${reply.status}: ${reply.body}`);
    return JSON.parse(reply.body);
  }

  /** Views the page `times` times, one view after the other. */
  async viewInTurn(times: number): Promise<Seen[]> {
    const seen: Seen[] = [];
    for (let i = 0; i < times; i += 1) seen.push(await this.view());
    return seen;
  }

  /** Views the page `times` times at once. */
  async viewAtOnce(times: number): Promise<Seen[]> {
    return Promise.all(Array.from({ length: times }, () => this.view()));
  }
}
