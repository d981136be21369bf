// npm run screenshot: stores a picture of a busy stack with an audience as docs/dashboard.png.
import { type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { launchBrowser, openBoard } from './lib/browser.ts';
import { ROOT } from './lib/root.mjs';
import { send, Visitor } from './lib/visitor.ts';
import { Stack } from './stack/stack.ts';

const FILE = join(ROOT, 'docs/dashboard.png');
const NAMES = ['Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Margaret', 'Tim', 'Radia', 'Linus'];
/** Milliseconds of load that fill the charts. */
const LOAD_MS = 30_000;
/** The average pause of a participant in milliseconds. */
const PAUSE_MS = 60;
/** Items of the catalog that the participants fetch. */
const ITEMS = 200;
const MAX_BYTES = 300_000;

/** A participant that has the page open, as far as the stack can tell. */
class Participant extends Visitor implements Disposable {
  #events: ClientRequest | undefined;
  #isOpen = true;

  async open(name: string): Promise<void> {
    await this.post('/login', { name });
    const headers = { cookie: this.cookie };
    this.#events = request(`${this.url}/dashboard/events`, { headers, agent: false });
    this.#events.on('response', (res) => res.resume()).on('error', () => {});
    this.#events.end();
  }

  /** Views the page and fetches items until the end. */
  async use(): Promise<void> {
    for (let i = Math.floor(Math.random() * ITEMS); this.#isOpen; i += 1) {
      const { instance, views } = await this.view();
      await this.post('/dashboard/participants', { instance, views });
      await send(`${this.url}/data/item-${1 + (i % ITEMS)}`);
      await delay(PAUSE_MS * 2 * Math.random());
    }
  }

  [Symbol.dispose](): void {
    this.#isOpen = false;
    this.#events?.destroy();
  }
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

/** Waits for the reply to the next request of the page for `path`. */
async function pressAndWait(page: Page, name: string, path: string): Promise<void> {
  const replied = page.waitForResponse((reply) => new URL(reply.url()).pathname === path);
  await press(page, name);
  await (await replied).finished();
}

async function untilText(page: Page, selector: string, text: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).waitFor();
}

/** Logs in, fills the cart, views the page and fetches data. */
async function use(page: Page): Promise<void> {
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Ada');
  await press(page, 'Log in');
  await untilText(page, '#who', /logged in as Ada/);
  for (const item of ['tea', 'tea', 'biscuits']) {
    await page.getByRole('textbox', { name: 'Item' }).fill(item);
    await pressAndWait(page, 'Add to cart', '/cart');
  }
  await press(page, 'Visit ×100');
  await untilText(page, '#trail-summary', /^100 sent, 100 counted/);
  await pressAndWait(page, 'Invalidate', '/data');
  await press(page, 'Fetch ×100');
  await untilText(page, '#fetch-summary', /^1 new, 99 cached/);
}

await using stack = await Stack.start({ env: { ...process.env, FAULT_INJECTION: 'on' } });
await using browser = await launchBrowser();
const { page } = await openBoard(browser, stack.url, {
  viewport: { width: 1280, height: 900 },
  deviceScaleFactor: 1,
  colorScheme: 'light',
  showsDetails: true,
  reducedMotion: 'reduce', // no participant is drawn between two instances
});
using participants = new DisposableStack();
for (const name of NAMES) {
  const participant = participants.use(new Participant(stack.url));
  await participant.open(name);
  void participant.use();
}
await use(page);
await delay(LOAD_MS);
await untilText(page, '#participants', new RegExp(`^\\s*${NAMES.length + 1}\\s*$`));
await page.evaluate('scrollTo(0, 0)');
const image = await page.screenshot({ path: FILE, fullPage: true });
if (image.length > MAX_BYTES) throw new Error(`${FILE} has ${image.length} bytes`);
console.log(`${FILE}: ${Math.round(image.length / 1000)} kB`);
