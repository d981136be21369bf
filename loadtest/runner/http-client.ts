import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { CookieJar } from 'tough-cookie';
import type { Incoming, Outgoing, Timings } from './modules/http.ts';

/** One request and its reply, of which a redirect makes several. */
export interface Exchange {
  method: string;
  reply: Incoming;
  bytes: { sent: number; received: number };
}

/** How many requests of one batch are under way at once, as k6's `batchPerHost` has it. */
const BATCH = 6;

/** k6's code for an address that is none: nothing is sent. */
export const INVALID_URL = 1020;
/** k6's codes for what goes wrong below HTTP. */
const ERROR_CODES: Record<string, number> = {
  ERR_INVALID_URL: INVALID_URL,
  ETIMEDOUT: 1050,
  ENOTFOUND: 1101,
  EAI_AGAIN: 1101,
  ECONNREFUSED: 1212,
  ECONNRESET: 1220,
  EPIPE: 1220,
};
const OTHER_ERROR = 1000;
/** A connection that was closed, not reset; Node gives both the same code. */
const CLOSED = 'socket hang up';
/** For a status from 400 on, the code is so much more. */
const STATUS_ERROR = 1000;

const USER_AGENT = { 'User-Agent': 'shared-state-loadtest' };

/** What a VU sends its requests with: connections of its own, and a cookie jar. */
export class HttpClient {
  #agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true }),
  };
  #jar = newJar();

  /** Sends requests at once; each is answered with its exchanges, the last of which is the reply. */
  async send(requests: Outgoing[]): Promise<Exchange[][]> {
    const replies: Exchange[][] = [];
    let next = 0;
    const lane = async () => {
      for (let i = next++; i < requests.length; i = next++) {
        replies[i] = await this.#follow(requests[i] as Outgoing);
      }
    };
    await Promise.all(Array.from({ length: Math.min(BATCH, requests.length) }, lane));
    return replies;
  }

  forgetCookies(): void {
    this.#jar = newJar();
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  async #follow(request: Outgoing): Promise<Exchange[]> {
    const exchanges: Exchange[] = [];
    for (let hop = request; ; ) {
      const exchange = await this.#exchange(hop);
      exchanges.push(exchange);
      const { status, headers } = exchange.reply;
      const { Location: to } = headers;
      const isRedirect = [301, 302, 303, 307, 308].includes(status) && to;
      if (!isRedirect || !URL.canParse(to, hop.url)) return exchanges;
      if (exchanges.length > request.redirects) return exchanges;
      const url = new URL(to, hop.url).href;
      const keeps = status >= 307 || /^(GET|HEAD)$/.test(hop.method);
      hop = keeps ? { ...hop, url } : { ...hop, url, method: 'GET', body: null };
    }
  }

  async #exchange(request: Outgoing): Promise<Exchange> {
    for (;;) {
      const exchange = await this.#try(request);
      if (exchange) return exchange;
    }
  }

  /** `undefined` where the server has just closed the connection that it was to be sent on. */
  async #try({ method, url, headers, body, timeout }: Outgoing): Promise<Exchange | undefined> {
    const clock = new Clock();
    const bytes = { sent: 0, received: 0 };
    const signal = AbortSignal.timeout(timeout);
    let req: http.ClientRequest | undefined;
    try {
      const { protocol } = new URL(url);
      if (protocol !== 'http:' && protocol !== 'https:') throw new Error(`not HTTP: ${url}`);
      const jar = await this.#jar.getCookieString(url);
      const length = body === null ? {} : { 'Content-Length': Buffer.byteLength(body) };
      const own = Object.entries(headers).find(([name]) => name.toLowerCase() === 'cookie')?.[1];
      const cookie = [jar, own].filter(Boolean).join('; ');
      req = (protocol === 'https:' ? https : http).request(url, {
        method,
        agent: this.#agents[protocol],
        headers: { ...USER_AGENT, ...length, ...headers, ...(cookie && { cookie }) },
        signal,
      });
      const counted = countBytes(req, bytes);
      clock.watch(req);
      req.end(body ?? undefined);
      const [res] = (await once(req, 'response', { signal })) as [IncomingMessage];
      clock.mark('response');
      const received = await text(res);
      clock.mark('end');
      counted();
      for (const line of res.headers['set-cookie'] ?? []) {
        await this.#jar.setCookie(line, url, { ignoreError: true });
      }
      return { method, bytes, reply: replyOf(url, res, received, clock.timings()) };
    } catch (err) {
      clock.mark('end');
      if (wasClosedWhileIdle(req, clock, err) && isReplayable(method)) return undefined;
      const { code, message } = (signal.aborted ? TIMED_OUT : err) as NodeJS.ErrnoException;
      const reply: Incoming = {
        ...{ status: 0, status_text: '', proto: '', url, headers: {}, body: '' },
        error: message || code || 'no reply',
        error_code: message === CLOSED ? OTHER_ERROR : (ERROR_CODES[code ?? ''] ?? OTHER_ERROR),
        timings: clock.timings(),
      };
      return { method, bytes, reply };
    }
  }
}

/**
 * A server may close an idle connection at the moment in which a request is sent on it. Go's client,
 * and so k6, then sends what changes nothing anew.
 * @see https://pkg.go.dev/net/http#Transport
 */
function wasClosedWhileIdle(
  req: http.ClientRequest | undefined,
  clock: Clock,
  err: unknown,
): boolean {
  const isClosed = ['ECONNRESET', 'EPIPE'].includes((err as NodeJS.ErrnoException).code ?? '');
  return Boolean(req?.reusedSocket) && isClosed && !clock.has('response');
}

function isReplayable(method: string): boolean {
  return ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method);
}

const TIMED_OUT = { code: 'ETIMEDOUT', message: 'request timeout' };

function newJar(): CookieJar {
  return new CookieJar(undefined, { rejectPublicSuffixes: false, allowSpecialUseDomain: true });
}

function replyOf(url: string, res: IncomingMessage, body: string, timings: Timings): Incoming {
  const headers = Object.entries(res.headersDistinct).map(([name, values = []]) => [
    name.replace(/(^|-)[a-z]/g, (first) => first.toUpperCase()),
    values.join(', '),
  ]);
  const { statusCode: status = 0 } = res;
  return {
    status,
    status_text: `${status} ${res.statusMessage}`,
    proto: `HTTP/${res.httpVersion}`,
    url,
    headers: Object.fromEntries(headers),
    body,
    error: '',
    error_code: status >= 400 ? STATUS_ERROR + status : 0,
    timings,
  };
}

/** Counts what a request moves on its connection, which has moved something before. */
function countBytes(req: http.ClientRequest, bytes: Exchange['bytes']): () => void {
  let socket: Socket | undefined;
  let before = { sent: 0, received: 0 };
  req.once('socket', (its) => {
    socket = its;
    before = { sent: its.bytesWritten, received: its.bytesRead };
  });
  return () => {
    bytes.sent = (socket?.bytesWritten ?? 0) - before.sent;
    bytes.received = (socket?.bytesRead ?? 0) - before.received;
  };
}

type Moment = 'start' | 'socket' | 'connect' | 'secure' | 'sent' | 'response' | 'end';

/** Notes when what of a request happened. */
class Clock {
  #at: Partial<Record<Moment, number>> = { start: performance.now() };

  mark(moment: Moment): void {
    this.#at[moment] ??= performance.now();
  }

  has(moment: Moment): boolean {
    return moment in this.#at;
  }

  watch(req: http.ClientRequest): void {
    req.once('finish', () => this.mark('sent'));
    req.once('socket', (socket) => {
      this.mark('socket');
      if (!socket.connecting) return;
      socket.once('connect', () => this.mark('connect'));
      socket.once('secureConnect', () => this.mark('secure'));
    });
  }

  /** The parts of k6's `timings`; `duration` is sending, waiting and receiving. */
  timings(): Timings {
    const { start = 0, end = start } = this.#at;
    const socket = this.#at.socket ?? end;
    const connect = this.#at.connect ?? socket;
    const ready = this.#at.secure ?? connect;
    const sent = Math.max(this.#at.sent ?? ready, ready);
    const response = Math.max(this.#at.response ?? end, sent);
    return {
      blocked: socket - start,
      connecting: connect - socket,
      tls_handshaking: ready - connect,
      sending: sent - ready,
      waiting: response - sent,
      receiving: Math.max(end - response, 0),
      duration: Math.max(end - ready, 0),
    };
  }
}
