import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Board, launchBrowser, openBoard } from '../../tools/lib/browser.ts';
import { type SeatServer, serveSeats } from '../../tools/seats/serve.ts';
import { describeInBrowser, expectText, press, textOf } from '../support/board.ts';
import { newName } from '../support/npm.ts';

const LOOKS: [width: number, colorScheme: 'light' | 'dark'][] = [
  [1280, 'light'],
  [1280, 'dark'],
  [390, 'light'],
  [390, 'dark'],
];

describeInBrowser('the page of the seats', () => {
  let server: SeatServer;
  let browser: Browser;
  beforeAll(async () => {
    const bounds = { seats: 2, atOnce: 1, memoryMb: 600 };
    const options = { name: newName(), ...bounds, bind: '127.0.0.1', port: 0, scale: 2 };
    server = await serveSeats(options);
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  async function expectAccessible({ page }: Board): Promise<void> {
    await page.evaluate(axe.source);
    for (const [width, colorScheme] of LOOKS) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
      const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
      expect(found, `${width} ${colorScheme}`).toEqual([]);
      const shown = await page.evaluate('document.documentElement.scrollWidth');
      expect(shown).toBeLessThanOrEqual(width);
    }
  }

  it('should give a seat, its stack and a lesson, and let the next one wait', async () => {
    await using first = await openBoard(browser, server.url);
    await using second = await openBoard(browser, server.url);
    await expectText(first.page, '#public-url', server.url);
    await expectAccessible(first);
    for (const { page } of [first, second]) await press(page, 'Take a seat');
    await expectText(first.page, '#title', 'Seat 1');
    await expectText(second.page, '#title', 'Seat 2');

    await press(first.page, 'Start your stack');
    await expectText(first.page, '#status', 'Your stack is running.', 30_000);
    await press(second.page, 'Run 04 lost-updates');
    await second.page.locator('#questions input').first().fill('20');
    await expectAccessible(second);
    await press(second.page, 'Run the lesson');
    await expectText(second.page, '#guesses', /lost if the session holds .* Your guess: 20$/);
    await expectText(second.page, '#status', 'You are number 1 in the queue.');
    expect(await textOf(second.page, '#output')).toBe('');

    const opened = first.context.waitForEvent('page');
    await first.page.getByRole('link', { name: 'Open your stack' }).click();
    const stack = await opened;
    await expectText(stack, '#views', 'Views: 1');
    await press(stack, 'Visit');
    await expectText(stack, '#views', 'Views: 2');
    await press(stack, 'Kill app-1'); // the page has its key
    await expectText(first.page, '#output', /app-1 is dead/);
    await stack.close();

    await press(first.page, 'Stop');
    await expectText(second.page, '#status', /^The lesson lost-updates /);
    await expectText(second.page, '#output', /✓/, 60_000);
    await expectText(second.page, '#status', 'Nothing is running.');
    await expectAccessible(second);
    expect([...first.faults, ...second.faults]).toEqual([]);

    await press(first.page, 'Give the seat back');
    await expectText(first.page, '#title', 'Seats');
  }, 120_000);
});
