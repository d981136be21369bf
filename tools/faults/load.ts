import { setTimeout as delay } from 'node:timers/promises';
import { type Reply, type Seen, send, Visitor } from '../lib/visitor.ts';
import type { Random } from './random.ts';

const SESSIONS = 4;
const CLIENTS = 32;
const ITEMS = ['tea', 'coffee', 'milk', 'bread', 'jam'];
/** Milliseconds after which a client gives up. */
const PATIENCE_MS = 10_000;
/** The longest pause of a client between two requests; it leaves the machine some time for the stack. */
const PAUSE_MS = 40;
/** No load goes on for longer, whatever becomes of the scenario. */
const LONGEST_MS = 240_000;

/** One request of the load, and what came of it. */
export interface Outcome {
  request: 'GET /' | 'POST /cart' | 'GET /data';
  /** The session that it belongs to, counted from 0. */
  session: number;
  /** When it was sent, as `performance.now()`. */
  from: number;
  ms: number;
  /** 0 where there was no reply. */
  status: number;
  instance?: string | undefined;
  retryAfter?: string | undefined;
  /** Why there was no reply. */
  error?: string;
  /** The item that was to be added to the cart. */
  item?: string;
  /** The number that the reply gave: the views, or the quantity of the item. */
  number?: number;
  /** The reply was about another session than the cookie of the request. */
  isOtherSession?: boolean;
}

/** What is left of a session at the end. */
export interface Final {
  views: number;
  cart: Record<string, number>;
}

/** A session that several clients use at once. */
interface Shared {
  cookie: string;
  name: string;
}

/** Tells whether a request failed. It may have been carried out all the same. */
export function isFailed({ status }: Outcome): boolean {
  return status === 0 || status >= 500;
}

/**
 * 32 clients, 8 on each of 4 sessions, that view the page, fill the cart and read the data, each
 * request on a connection of its own. It remembers what came of every request.
 */
export class Load {
  readonly outcomes: Outcome[] = [];
  #url: string;
  #sessions: Shared[] = [];
  #clients: Promise<void>[] = [];
  #until = performance.now() + LONGEST_MS;

  /** Resolves when each session was viewed once and all clients are under way. */
  static async start(url: string, random: Random): Promise<Load> {
    const load = new Load(url);
    for (let i = 0; i < SESSIONS; i += 1) await load.#begin(i);
    load.#clients = Array.from({ length: CLIENTS }, (_, i) =>
      load.#client(i % SESSIONS, random.fork()),
    );
    return load;
  }

  private constructor(url: string) {
    this.#url = url;
  }

  /** Sends nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#until = 0;
    await Promise.all(this.#clients);
  }

  /** Reads what is left of each session. That counts one more view, which is taken off again. */
  async finals(): Promise<Final[]> {
    return Promise.all(
      this.#sessions.map(async ({ cookie, name }) => {
        const headers = { cookie, accept: 'application/json' };
        const cart = await send(`${this.#url}/cart`, { headers });
        const page = await send(this.#url, { headers });
        for (const { status } of [cart, page]) {
          if (status !== 200)
            throw new Error(`the end of session ${name} cannot be read: ${status}`);
        }
        const { views } = JSON.parse(page.body) as Seen;
        return { views: views - 1, cart: JSON.parse(cart.body) };
      }),
    );
  }

  async #begin(session: number): Promise<void> {
    const visitor = new Visitor(this.#url);
    const from = performance.now();
    const { views, session: name } = await visitor.view();
    const cookie = [...visitor.cookies].map((pair) => pair.join('=')).join('; ');
    const ms = performance.now() - from;
    this.#sessions.push({ cookie, name });
    this.outcomes.push({ request: 'GET /', session, from, ms, status: 200, number: views });
  }

  async #client(session: number, random: Random): Promise<void> {
    while (performance.now() < this.#until) {
      this.outcomes.push(await this.#ask(session, random));
      await delay(random.next() * PAUSE_MS);
    }
  }

  async #ask(session: number, random: Random): Promise<Outcome> {
    const choice = random.next();
    const item = random.pick(ITEMS);
    const from = performance.now();
    if (choice < 0.6) return this.#finish({ request: 'GET /', session, from });
    if (choice < 0.8) return this.#finish({ request: 'POST /cart', session, from, item });
    return this.#finish({ request: 'GET /data', session, from });
  }

  async #finish(asked: Pick<Outcome, 'request' | 'session' | 'from' | 'item'>): Promise<Outcome> {
    const { cookie, name } = this.#sessions[asked.session] as Shared;
    try {
      const reply = await withPatience(this.#send(asked.request, cookie, asked.item));
      const { status, ms, headers, body } = reply;
      return {
        ...asked,
        ms,
        status,
        instance: headers['x-instance']?.toString(),
        retryAfter: headers['retry-after'],
        ...(status === 200 && numberIn(asked.request, body, name)),
      };
    } catch (err) {
      const ms = performance.now() - asked.from;
      return { ...asked, ms, status: 0, error: (err as Error).message };
    }
  }

  #send(request: Outcome['request'], cookie: string, item?: string): Promise<Reply> {
    const headers = { cookie, accept: 'application/json', 'content-type': 'application/json' };
    const [method = '', path] = request.split(' ');
    const body = item === undefined ? undefined : JSON.stringify({ item, quantity: 1 });
    return send(`${this.#url}${path}`, { method, headers, ...(body && { body }) });
  }
}

function numberIn(request: Outcome['request'], body: string, name: string): Partial<Outcome> {
  if (request === 'GET /data') return {};
  const { views, session = name, quantity } = JSON.parse(body);
  return { number: views ?? quantity, ...(session !== name && { isOtherSession: true }) };
}

/** Fails where a reply takes longer than a client waits. */
async function withPatience(reply: Promise<Reply>): Promise<Reply> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no reply in ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([reply, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
