import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Random } from '../lib/random.ts';
import { type Reply, Visitor } from '../lib/visitor.ts';
import { attempt, type Final, isFailed, type Outcome } from './load.ts';

/** Customers at the same time. */
const CUSTOMERS = 8;
/** The longest pause before a request of a customer. */
const PAUSE_MS = 100;
/** Milliseconds after which a request without a clear answer is sent again. */
const AGAIN_MS = 100;
/** Milliseconds after which a customer gives up. */
const PATIENCE_MS = 20_000;
/** Customers whose state is read at the same time. */
const READ_AT_ONCE = 16;
const TEA = { item: 'tea', quantity: 1 };

/**
 * Customers that use the site and log in, three times each. Then half of them log out, and new ones
 * begin. The outcome of every request is recorded, as of the load.
 */
export class Customers {
  readonly url: string;
  readonly outcomes: Outcome[] = [];
  /** If true, the replies to logins do not reach the customers. */
  loseReplies = false;
  /** Logins that succeeded, those of them that were sent again, and their lost replies. */
  readonly logins = { done: 0, repeated: 0, lostReplies: 0 };
  #all: Customer[] = [];
  #clients: Promise<void>[];
  #isStopped = false;

  /** @param firstSession the number of the first session; the others follow */
  constructor(url: string, firstSession: number, random: Random) {
    this.url = url;
    const client = async (own: Random) => {
      while (!this.#isStopped) {
        const customer = new Customer(this, firstSession + this.#all.length, own);
        this.#all.push(customer);
        await customer.shop();
      }
    };
    this.#clients = Array.from({ length: CUSTOMERS }, () => client(random.fork()));
  }

  /** Waits until all customers have finished. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
  }

  /** Checks the state of each session. Resolves to the states, before a logout. */
  async finals(): Promise<(Final | undefined)[]> {
    await pLimit(READ_AT_ONCE).map(this.#all, (customer) => customer.check());
    return this.#all.map(({ final }) => final);
  }

  /** The number of each kind of breach. */
  get breaches(): string[] {
    const all = this.#all.flatMap(({ breach }) => breach ?? []);
    return [...Map.groupBy(all, (one) => one)].map(([one, its]) => `${its.length} x ${one}`);
  }

  get summary(): string {
    const { done, repeated, lostReplies } = this.logins;
    return `${done} logins, ${repeated} sent again, ${lostReplies} replies lost`;
  }
}

type Request = Outcome['request'];

/** The body of a login, or of an item for the cart. */
interface Body {
  name?: string;
  item?: string;
  quantity?: number;
}

/** A visitor from the first view to the logout. */
class Customer {
  /** The state after the last login; `undefined` if that login has no clear answer. */
  final: Final | undefined;
  /** The first requirement that was not met. */
  breach: string | undefined;
  #site: Customers;
  #visitor: Visitor;
  #session: number;
  #random: Random;
  #name = '';
  #isLoggedOut = false;

  constructor(site: Customers, session: number, random: Random) {
    this.#site = site;
    this.#visitor = new Visitor(site.url);
    this.#session = session;
    this.#random = random;
  }

  async shop(): Promise<void> {
    await this.#noteBreach(async () => {
      await this.#sendUntilAnswered('GET /');
      for (const name of ['Ada', 'Countess', 'Lovelace']) {
        const isView = this.#random.next() < 0.5;
        await (isView ? this.#send('GET /') : this.#send('POST /cart', TEA));
        await this.#logIn(`${name} ${this.#session}`);
      }
      if (this.#random.next() < 0.5) await this.#logOut();
    });
  }

  /** Requires that the last login or logout still holds. */
  async check(): Promise<void> {
    if (this.breach !== undefined) return;
    await this.#noteBreach(async () => {
      if (!this.#isLoggedOut) return this.#readState();
      const { status } = await this.#sendUntilAnswered('GET /me');
      if (status !== 401) throw new Error(`a logout was lost: GET /me answered ${status}`);
    });
  }

  async #logIn(name: string): Promise<void> {
    const { cookie } = this.#visitor;
    this.final = undefined;
    const { status, times } = await this.#sendUntilAnswered('POST /login', { name });
    const isDone = status === 200 && this.#visitor.cookie !== cookie;
    if (!isDone) throw new Error(`POST /login answered ${status}`);
    this.#name = name;
    await this.#readState();
    this.#site.logins.done += 1;
    if (times > 1) this.#site.logins.repeated += 1;
  }

  async #logOut(): Promise<void> {
    const cookies = new Map(this.#visitor.cookies);
    const { status } = await this.#sendUntilAnswered('POST /logout');
    if (status !== 204) throw new Error(`POST /logout answered ${status}`);
    this.#isLoggedOut = true;
    this.#visitor = new Visitor(this.#site.url, cookies);
  }

  async #readState(): Promise<void> {
    const { status, body } = await this.#sendUntilAnswered('GET /me');
    const { name, views = 0, cart = {} } = JSON.parse(body);
    this.final = { views, cart };
    if (name !== this.#name) throw new Error(`a login was lost: GET /me answered ${status}`);
  }

  /** Sends a request with the same cookie and `Idempotency-Key` again and again. */
  async #sendUntilAnswered(request: Request, body?: Body): Promise<Reply & { times: number }> {
    const { cookie } = this.#visitor;
    const key = randomUUID();
    const until = performance.now() + PATIENCE_MS;
    for (let times = 1; performance.now() < until; times += 1) {
      const reply = await this.#send(request, body, key);
      if (reply) return { ...reply, times };
      if (this.#visitor.cookie !== cookie) throw new Error(`a failed ${request} set a cookie`);
      await delay(AGAIN_MS);
    }
    throw new Error(`${request} had no clear answer for ${PATIENCE_MS} ms`);
  }

  /** Resolves to the reply, unless the request failed or the reply is lost. */
  async #send(request: Request, body?: Body, key?: string): Promise<Reply | undefined> {
    await delay(this.#random.next() * PAUSE_MS);
    const { cookies, cookie } = this.#visitor;
    const isLost = this.#site.loseReplies && request === 'POST /login';
    const visitor = isLost ? new Visitor(this.#site.url, new Map(cookies)) : this.#visitor;
    const headers = {
      ...{ accept: 'application/json', 'content-type': 'application/json' },
      ...(key && { 'idempotency-key': key }),
    };
    const [method = '', path] = request.split(' ');
    const options = { method, headers, body: JSON.stringify(body) };
    const asked = { request, session: this.#session, ...(body?.item && { item: body.item }) };
    const { outcome, reply } = await attempt(asked, (signal) =>
      visitor.send(path, { ...options, signal }),
    );
    const hasFailed = isFailed(outcome);
    // A first view that failed may have started a session, but no client has its cookie.
    const session = hasFailed && cookie === '' ? -1 : this.#session;
    this.#site.outcomes.push({ ...outcome, session });
    if (isLost && !hasFailed) this.#site.logins.lostReplies += 1;
    return hasFailed || isLost ? undefined : reply;
  }

  async #noteBreach(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      this.breach ??= (err as Error).message;
    }
  }
}
