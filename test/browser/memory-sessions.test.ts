import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser } from '../../tools/lib/browser.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { describeInBrowser } from '../support/board.ts';

const VIEWS = 6;
const VISITORS = 30;
const ROUNDS = 9;

/** A load balancer for TCP: it chooses an instance for each connection, not for each request. */
async function balanceConnections(ports: number[]) {
  let connections = 0;
  const server = createServer((client) => {
    const instance = connect(ports[connections % ports.length] as number, '127.0.0.1');
    connections += 1;
    client.pipe(instance).pipe(client);
    client.on('error', () => instance.destroy());
    instance.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  return { url, [Symbol.dispose]: () => void server.close() };
}

describeInBrowser('a browser in lesson 01, with sessions in memory', () => {
  let browser: Browser;
  let stack: Stack;
  beforeAll(async () => {
    browser = await launchBrowser();
    stack = await Stack.start({ env: { ...process.env, SESSION_STORE: 'memory' } });
  });
  afterAll(async () => {
    await browser?.close();
    await stack?.close();
  });

  /** The views that one browser sees, in turn or at once, with other requests after each view. */
  async function viewsOf(url: string, { atOnce = false, othersPerView = 0 } = {}) {
    await using context = await browser.newContext();
    const page = await context.newPage();
    await page.route('**/favicon.ico', (route) => route.abort());
    await page.goto(`${url}/livez`);
    return await page.evaluate<number[]>(`(async () => {
      const get = async (path) => (await fetch(path, { headers: { accept: 'text/plain' } })).text();
      const view = async () => Number((await get('/')).replace('Views: ', ''));
      if (${atOnce}) {
        await view();
        return Promise.all(Array.from({ length: ${VIEWS} }, view));
      }
      const seen = [];
      for (let i = 0; i < ${VIEWS}; i += 1) {
        seen.push(await view());
        for (let k = 0; k < ${othersPerView}; k += 1) await get('/livez');
      }
      return seen;
    })()`);
  }

  it('should see 1 each time, although it reuses its connection', async () => {
    expect(await viewsOf(stack.url)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it('should see a counter that works, if each page has as many requests as instances', async () => {
    expect(await viewsOf(stack.url, { othersPerView: 2 })).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await viewsOf(stack.url, { othersPerView: 1 })).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it('should see some views continue if it sends them at once', async () => {
    const views = await viewsOf(stack.url, { atOnce: true });
    expect(views.filter((count) => count === 1).length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...views)).toBeGreaterThan(1);
  });

  it('should see a counter that works behind a load balancer for TCP', async () => {
    using balancer = await balanceConnections(stack.instances.map(({ port }) => port));
    expect(await viewsOf(balancer.url)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('should see every third view continue in a busy room', async () => {
    const visitors = Array.from({ length: VISITORS }, () => new Visitor(stack.url));
    await Promise.all(visitors.map((visitor) => visitor.view()));
    let continued = 0;
    for (let i = 0; i < VISITORS * ROUNDS; i += 1) {
      const visitor = visitors[Math.floor(Math.random() * VISITORS)] as Visitor;
      if ((await visitor.view()).views > 1) continued += 1;
    }
    const share = continued / (VISITORS * ROUNDS);
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.5);
  });
});
