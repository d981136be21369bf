import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

/** A reply, read to its end. */
export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** Milliseconds from the request to the end of the reply. */
  ms: number;
}

/** What to send besides the address. */
export interface Sending {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string;
}

/** Sends one request on a connection of its own. Rejects where there is no reply. */
export async function send(url: string, sending: Sending = {}): Promise<Reply> {
  const from = performance.now();
  const { method = 'GET', headers = {}, body } = sending;
  const req = request(url, { method, headers, agent: false });
  req.end(body);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const received = await text(res);
  const ms = performance.now() - from;
  return { status: res.statusCode ?? 0, headers: res.headers, body: received, ms };
}

/** What `GET /` says as JSON. */
export interface Seen {
  views: number;
  instance: string;
  session: string;
}

/** A client that keeps its cookies, as a browser does. */
export class Visitor {
  readonly cookies = new Map<string, string>();
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Its cookies as a request carries them; empty where there are none. */
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

  /** Views the page and says what was seen. Throws where the reply is not 200. */
  async view(): Promise<Seen> {
    const reply = await this.send('/', { headers: { accept: 'application/json' } });
    if (reply.status !== 200) throw new Error(`GET / answered ${reply.status}: ${reply.body}`);
    return JSON.parse(reply.body);
  }

  /** Views the page `times` times, one after the other. */
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
