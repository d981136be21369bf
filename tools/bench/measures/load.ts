import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import { Visitor } from '../../lib/visitor.ts';
import { RECONNECT_AFTER } from '../load.ts';

/** A request of a load: always a GET. */
export interface Ask {
  path: string;
  cookie?: string;
}

/** Views the page once as each of `count` new visitors. Resolves to their cookies. */
export async function newVisitors(url: string, count: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const visitor = new Visitor(url);
      await visitor.view();
      return visitor.cookie;
    }),
  );
}

/** What became of a load. */
export interface Answers {
  /** Replies. */
  perSecond: number;
  /** How long the load really went on. */
  seconds: number;
}

/**
 * Sends as much as is answered: each connection sends its next request as soon as it has a reply.
 * The load has a thread of its own.
 *
 * @param asks what each connection sends, in turn and over and over
 * @throws {Error} where a request is not answered with 200
 */
export async function saturate(
  url: string,
  connections: number,
  seconds: number,
  asks: Ask[],
): Promise<Answers> {
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    workers: 1,
    reconnectRate: RECONNECT_AFTER,
    requests: asks.map(({ path, cookie }) => ({ path, headers: { ...(cookie && { cookie }) } })),
  });
  const { non2xx, errors, requests, statusCodeStats, duration } = result;
  if (non2xx > 0 || errors > 0 || requests.total === 0) {
    throw new Error(
      `${errors} requests had no reply; by status: ${JSON.stringify(statusCodeStats)}`,
    );
  }
  return { perSecond: requests.total / duration, seconds: duration };
}

/**
 * Sends views of the page evenly, whether or not those before are answered yet.
 *
 * @param nextCookie the cookie of the visitor whose turn it is; each must have a session already
 * @returns milliseconds from each request to the end of its reply
 * @throws {Error} where a reply is not 200 or starts a session
 */
export async function pace(
  url: string,
  perSecond: number,
  seconds: number,
  nextCookie: () => string,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const replies: Promise<number>[] = [];
  const from = performance.now();
  try {
    while (replies.length < perSecond * seconds) {
      const due = Math.min((performance.now() - from) / 1000, seconds) * perSecond;
      while (replies.length < due) replies.push(view(url, agent, nextCookie()));
      await delay(1);
    }
    return await Promise.all(replies);
  } finally {
    agent.destroy();
  }
}

/** Resolves to the milliseconds that one view took. */
function view(url: string, agent: Agent, cookie: string): Promise<number> {
  const from = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const receive = (res: IncomingMessage) => {
    if (res.statusCode !== 200) reject(new Error(`GET / answered ${res.statusCode}`));
    if (res.headers['set-cookie']) reject(new Error('a session that was stored was not found'));
    res.resume().once('end', () => resolve(performance.now() - from));
  };
  request(url, { agent, headers: { cookie } }, receive).once('error', reject).end();
  return promise;
}
