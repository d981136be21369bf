import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser } from '../../tools/lib/browser.ts';
import { referrerOf } from '../../workshop/13-session-id-in-the-url/referrer.ts';
import { describeInBrowser } from '../support/board.ts';

/** Starts a site with its own origin. */
async function serve(listener: RequestListener) {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url, [Symbol.dispose]: close };
}

describeInBrowser('the Referer of lesson 13', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  it.each([
    ['no-referrer', 'another site'],
    ['no-referrer', 'the same site'],
    ['no-referrer-when-downgrade', 'another site'],
    ['no-referrer-when-downgrade', 'the same site'],
    ['strict-origin-when-cross-origin', 'another site'],
    ['', 'another site'],
    ['', 'the same site'],
  ])('should be what Chromium sends: policy "%s", a link to %s', async (policy, target) => {
    const received: (string | undefined)[] = [];
    const record: RequestListener = (req, res) => {
      if (req.url === '/next') received.push(req.headers.referer);
      res.end();
    };
    using other = await serve(record);
    using site = await serve((req, res) => {
      if (!req.url?.startsWith('/?sid=')) return record(req, res);
      const to = target === 'another site' ? other.url : '';
      if (policy) res.setHeader('Referrer-Policy', policy);
      res.setHeader('Content-Type', 'text/html');
      res.end(`<a href="${to}/next">next</a>`);
    });
    const page = await browser.newPage();
    const from = `${site.url}/?sid=s%3Aid.signature`;
    await page.goto(from);
    await page.getByText('next').click();
    await page.waitForURL('**/next');
    const to = new URL(page.url());
    await page.close();
    expect(received).toEqual([referrerOf(new URL(from), to, policy)]);
  });
});
