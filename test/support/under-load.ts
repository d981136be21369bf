import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Reply, send, Visitor } from '../../tools/lib/visitor.ts';
import { Shopper } from './shop.ts';

/** Milliseconds between a reply and the next request of a visitor. */
const THINK_MS = 20;

/**
 * Fails unless every request that is sent during the work is answered and applied once.
 *
 * @param path is requested too, besides the page and the cart of three visitors
 * @returns the number of requests, and the slowest reply in milliseconds
 */
export async function underLoad(
  url: string,
  path: string,
  work: () => Promise<unknown>,
): Promise<{ requests: number; slowestMs: number }> {
  let isWorking = true;
  let requests = 0;
  let slowestMs = 0;
  const sent = async <T>(request: Promise<T>): Promise<T> => {
    const from = performance.now();
    const reply = await request;
    slowestMs = Math.max(slowestMs, performance.now() - from);
    requests += 1;
    await delay(THINK_MS);
    return reply;
  };
  const expectSuccess = ({ status, body }: Reply) => expect(status, body).toBe(200);
  const keepViewing = async () => {
    const visitor = new Visitor(url);
    for (let views = 1; isWorking; views += 1) {
      expect((await sent(visitor.view())).views).toBe(views);
    }
  };
  const keepBuying = async () => {
    const ada = new Shopper(url);
    let tea = 0;
    for (; isWorking; tea += 1) expectSuccess(await sent(ada.add('tea')));
    expect(await ada.cart()).toEqual({ tea });
  };
  const keepAsking = async () => {
    while (isWorking) expectSuccess(await sent(send(url + path)));
  };
  const load = Promise.all([keepViewing(), keepViewing(), keepBuying(), keepAsking()]);
  await Promise.race([work(), load]).finally(() => {
    isWorking = false;
  });
  await load;
  return { requests, slowestMs };
}
