import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { send, Visitor } from './visitor.ts';

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

/**
 * Sends views of stored sessions at a constant rate, whether or not earlier views are answered.
 *
 * @returns the latency of each view in milliseconds
 * @throws {Error} if a reply is not 200 or starts a session
 */
export async function viewEvenly(
  url: string,
  nextCookie: () => string,
  perSecond: number,
  seconds: number,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const view = async () => {
    const { status, headers, ms } = await send(url, { agent, headers: { cookie: nextCookie() } });
    if (status !== 200) throw new Error(`GET / answered ${status}`);
    if (headers['set-cookie']) throw new Error('a stored session was not found');
    return ms;
  };
  const replies: Promise<number>[] = [];
  const from = performance.now();
  try {
    while (replies.length < perSecond * seconds) {
      const due = Math.min((performance.now() - from) / 1000, seconds) * perSecond;
      while (replies.length < due) replies.push(view());
      await delay(1);
    }
    return await Promise.all(replies);
  } finally {
    agent.destroy();
  }
}

/**
 * Views stored sessions over some connections: each sends the next view when it has a reply.
 *
 * @returns replies per second
 * @throws {Error} if a reply is not 200
 */
export async function viewConstantly(
  url: string,
  cookies: string[],
  connections: number,
  seconds: number,
): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const end = performance.now() + seconds * 1000;
  let replies = 0;
  const connection = async (_: unknown, first: number) => {
    for (let i = first; performance.now() < end; i += 1) {
      const cookie = cookies[i % cookies.length];
      const { status } = await send(url, { agent, headers: { ...(cookie && { cookie }) } });
      if (status !== 200) throw new Error(`GET / answered ${status}`);
      if (performance.now() < end) replies += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, connection));
    return replies / seconds;
  } finally {
    agent.destroy();
  }
}
