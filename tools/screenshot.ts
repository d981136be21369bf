// npm run screenshot: a stack that is busy, with people in its room, as docs/board.png.
import { type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { launchBrowser, openBoard } from './lib/browser.ts';
import { ROOT } from './lib/root.ts';
import { send, Visitor } from './lib/visitor.ts';
import { Stack } from './stack/stack.ts';

const FILE = join(ROOT, 'docs/board.png');
const WIDTH = 1280;
const NAMES = ['Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Margaret', 'Tim', 'Radia', 'Linus'];
/** How long there is load, until the charts have something to show. */
const LOAD_MS = 30_000;
/** Milliseconds for which a guest looks at what came, on average. */
const PAUSE_MS = 60;
/** How many items of the catalogue they fetch. */
const ITEMS = 200;
const MAX_BYTES = 300_000;

/** Somebody with the page open, as far as the stack can tell. */
class Guest extends Visitor implements Disposable {
  #feed: ClientRequest | undefined;
  #isThere = true;

  async enter(name: string): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    await this.send('/login', { method: 'POST', headers, body: JSON.stringify({ name }) });
    this.#feed = request(`${this.url}/events`, { headers: { cookie: this.cookie }, agent: false });
    this.#feed.on('response', (res) => res.resume()).on('error', () => {});
    this.#feed.end();
  }

  /** Views the page, and fetches what is seldom new. */
  async stroll(): Promise<void> {
    for (let i = Math.floor(Math.random() * ITEMS); this.#isThere; i += 1) {
      await this.view();
      await send(`${this.url}/data/item-${1 + (i % ITEMS)}`);
      await delay(PAUSE_MS * 2 * Math.random());
    }
  }

  [Symbol.dispose](): void {
    this.#isThere = false;
    this.#feed?.destroy();
  }
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

/** Waits for a reply to the page's next request for `path`. */
async function pressAndWait(page: Page, name: string, path: string): Promise<void> {
  const replied = page.waitForResponse((reply) => new URL(reply.url()).pathname === path);
  await press(page, name);
  await (await replied).finished();
}

async function says(page: Page, selector: string, text: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).waitFor();
}

/** What Ada does. */
async function use(page: Page): Promise<void> {
  await page.getByRole('textbox', { name: 'Name' }).fill('Ada');
  await press(page, 'Log in');
  await says(page, '#who', /logged in as Ada/);
  for (const item of ['tea', 'tea', 'biscuits']) {
    await page.getByRole('textbox', { name: 'Item' }).fill(item);
    await pressAndWait(page, 'Add to cart', '/cart');
  }
  await press(page, 'Visit ×100');
  await says(page, '#trail-summary', /^100 of 100/);
  await pressAndWait(page, 'Forget', '/data');
  await press(page, 'Fetch ×100');
  await says(page, '#fetch-summary', /^1 new, 99 cached/);
}

await using stack = await Stack.start({ env: { ...process.env, FAULT_INJECTION: 'on' } });
await using browser = await launchBrowser();
const { page } = await openBoard(browser, stack.url, {
  viewport: { width: WIDTH, height: 900 },
  deviceScaleFactor: 1,
  colorScheme: 'light',
  reducedMotion: 'reduce', // nobody is between two instances
});
using guests = new DisposableStack();
for (const name of NAMES) {
  const guest = guests.use(new Guest(stack.url));
  await guest.enter(name);
  void guest.stroll();
}
await use(page);
await delay(LOAD_MS);
await says(page, '#people', new RegExp(`^\\s*${NAMES.length + 1}\\s*$`));
await page.evaluate('scrollTo(0, 0)');
const image = await page.screenshot({ path: FILE, fullPage: true });
if (image.length > MAX_BYTES) throw new Error(`${FILE} has ${image.length} bytes`);
console.log(`${FILE}: ${Math.round(image.length / 1000)} kB`);
