import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../lib/random.ts';
import { type Reply, type Seen, send, Visitor } from '../lib/visitor.ts';

export const SESSIONS = 4;
const CLIENTS = 32;
const ITEMS = ['tea', 'coffee', 'milk', 'bread', 'jam'];
/** What clients ask for, each up to this share; the rest invalidates the data. */
const REQUESTS = [
  [0.6, 'GET /'],
  [0.8, 'POST /cart'],
  [0.98, 'GET /data'],
] as const;
/** Milliseconds after which a client gives up. */
const TIMEOUT_MS = 10_000;
/** The longest pause between two requests of a client. It leaves CPU time for the stack. */
const PAUSE_MS = 40;
/** Milliseconds after which a load ends, even if its scenario hangs. */
const MAX_MS = 240_000;

/** A request of the load and its result. */
export interface Outcome {
  request:
    | 'GET /'
    | 'POST /cart'
    | 'GET /data'
    | 'DELETE /data'
    | 'POST /login'
    | 'POST /logout'
    | 'GET /me';
  /** The number of its session, from 0; -1 if the request has none. */
  session: number;
  /** The time of the request, by `performance.now()`. */
  from: number;
  ms: number;
  /** 0 if there was no reply. */
  status: number;
  instance?: string | undefined;
  retryAfter?: string | undefined;
  /** The reason if there was no reply. */
  error?: string;
  /** The item to add to the cart. */
  item?: string;
  /** The counter in the reply: the views, or the quantity of the item. */
  number?: number;
  /** When the origin was asked for the data in the reply, by `performance.now()`. */
  madeAt?: number;
  /** The reply belongs to another session than the cookie of the request. */
  isOtherSession?: boolean;
}

/** The state of a session at the end. */
export interface Final {
  views: number;
  cart: Record<string, number>;
}

export interface LoadOptions {
  /** Tells whether a cookie suits the session with this number. If not, there is another visitor. */
  isWanted?: (cookie: string, session: number) => boolean;
  /** So many requests arrive in a second, however long earlier ones take; no client waits. */
  perSecond?: number;
}

/** Tells whether a request failed. It may have been applied nevertheless. */
export function isFailed({ status }: Outcome): boolean {
  return status === 0 || status >= 500;
}

/**
 * 32 clients, 8 on each of 4 sessions, that view the page, fill the cart, and read or invalidate the
 * data. Each request opens a connection. The load records the outcome of every request.
 */
export class Load {
  readonly outcomes: Outcome[] = [];
  #url: string;
  #sessions: { cookie: string; name: string }[] = [];
  #clients: Promise<void>[] = [];
  #until = performance.now() + MAX_MS;

  /** Views each session once, and then starts all clients. */
  static async start(url: string, random: Random, options: LoadOptions = {}): Promise<Load> {
    const { isWanted, perSecond } = options;
    const load = new Load(url);
    for (let i = 0; i < SESSIONS; i += 1) await load.#begin(i, isWanted);
    load.#clients = perSecond
      ? [load.#arrivals(perSecond, random)]
      : Array.from({ length: CLIENTS }, (_, i) => load.#client(i % SESSIONS, random.fork()));
    return load;
  }

  private constructor(url: string) {
    this.#url = url;
  }

  /** Stops sending, and waits for the replies to the requests under way. */
  async stop(): Promise<void> {
    this.#until = 0;
    await Promise.all(this.#clients);
  }

  /** Reads the state of each session. This counts one more view, which the result leaves out. */
  async finals(): Promise<Final[]> {
    return Promise.all(
      this.#sessions.map(async ({ cookie, name }) => {
        const headers = { cookie, accept: 'application/json' };
        const cart = await send(`${this.#url}/cart`, { headers });
        const page = await send(this.#url, { headers });
        for (const { status } of [cart, page]) {
          if (status !== 200) throw new Error(`session ${name} cannot be read: ${status}`);
        }
        const { views } = JSON.parse(page.body) as Seen;
        return { views: views - 1, cart: JSON.parse(cart.body) };
      }),
    );
  }

  async #begin(session: number, isWanted: LoadOptions['isWanted']): Promise<void> {
    const visitor = new Visitor(this.#url);
    const from = performance.now();
    const { views, session: name } = await visitor.view();
    const ms = performance.now() - from;
    if (isWanted?.(visitor.cookie, session) === false) return this.#begin(session, isWanted);
    this.#sessions.push({ cookie: visitor.cookie, name });
    this.outcomes.push({ request: 'GET /', session, from, ms, status: 200, number: views });
  }

  async #client(session: number, random: Random): Promise<void> {
    while (performance.now() < this.#until) {
      await this.#ask(session, random);
      await delay(random.next() * PAUSE_MS);
    }
  }

  async #arrivals(perSecond: number, random: Random): Promise<void> {
    const from = performance.now();
    const asked: Promise<void>[] = [];
    while (performance.now() < this.#until) {
      asked.push(this.#ask(asked.length % SESSIONS, random));
      const next = from + (asked.length / perSecond) * 1000;
      await delay(Math.max(0, next - performance.now()));
    }
    await Promise.all(asked);
  }

  async #ask(session: number, random: Random): Promise<void> {
    const choice = random.next();
    const item = random.pick(ITEMS);
    const request = REQUESTS.find(([share]) => choice < share)?.[1] ?? 'DELETE /data';
    const asked = { request, session, ...(request === 'POST /cart' && { item }) } as const;
    this.outcomes.push(await this.#send(asked));
  }

  async #send(asked: Pick<Outcome, 'request' | 'session' | 'item'>): Promise<Outcome> {
    const { cookie = '', name = '' } = this.#sessions[asked.session] ?? {};
    const headers = { cookie, accept: 'application/json', 'content-type': 'application/json' };
    const [method = '', path] = asked.request.split(' ');
    const body = asked.item && JSON.stringify({ item: asked.item, quantity: 1 });
    const options = { method, headers, ...(body && { body }) };
    const request = (signal: AbortSignal) => send(`${this.#url}${path}`, { ...options, signal });
    return (await attempt(asked, request, name)).outcome;
  }
}

/**
 * Sends a request. Its outcome has the status 0 if there is no reply.
 *
 * @param name the session that must answer, as the page calls it
 */
export async function attempt(
  asked: Pick<Outcome, 'request' | 'session' | 'item'>,
  request: (signal: AbortSignal) => Promise<Reply>,
  name?: string,
): Promise<{ outcome: Outcome; reply?: Reply }> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const from = performance.now();
  try {
    const reply = await request(signal);
    const outcome = {
      ...{ ...asked, from, ms: reply.ms, status: reply.status },
      instance: reply.headers['x-instance']?.toString(),
      retryAfter: reply.headers['retry-after'],
      ...(reply.status === 200 && contentOf(asked.request, reply.body, name)),
    };
    return { outcome, reply };
  } catch (err) {
    const error = signal.aborted ? `no reply in ${TIMEOUT_MS} ms` : (err as Error).message;
    return { outcome: { ...asked, from, ms: performance.now() - from, status: 0, error } };
  }
}

function contentOf(request: Outcome['request'], body: string, name?: string): Partial<Outcome> {
  const reply = JSON.parse(body);
  if (request === 'GET /data') {
    return { madeAt: Date.parse(reply.madeAt) - performance.timeOrigin };
  }
  const { views, session, quantity } = reply;
  const isOtherSession = session !== undefined && name !== undefined && session !== name;
  return { number: views ?? quantity, ...(isOtherSession && { isOtherSession }) };
}
