import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import {
  type Board,
  type BoardOptions,
  browserMissing,
  launchBrowser,
  openBoard,
} from '../../tools/lib/browser.ts';
import { eventually } from '../../tools/lib/eventually.ts';

// What tests read from the page in a browser, and the buttons that they press.

export const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
export const press = (page: Page, name: string) => button(page, name).click();

export async function textOf(page: Page, selector: string): Promise<string> {
  return ((await page.locator(selector).textContent()) ?? '').replace(/\s+/g, ' ').trim();
}

export async function expectText(page: Page, selector: string, text: string | RegExp, ms = 10_000) {
  await eventually(async () => {
    const shown = await textOf(page, selector);
    if (typeof text === 'string') expect(shown).toBe(text);
    else expect(shown).toMatch(text);
    expect(await page.locator(selector).isVisible(), `${selector} is visible`).toBe(true);
  }, ms);
}

/** The data-… attribute with a name. */
export const dataOf = (page: Page, selector: string, name: string) =>
  page.locator(selector).getAttribute(`data-${name}`);

/** The numbers of the trail, each with the instance that counted it. */
export function trailOf(page: Page): Promise<{ views: number; instance: string }[]> {
  return page.evaluate(
    `[...document.querySelectorAll('#trail [data-views]')].map(
      ({ dataset: { views, instance } }) => ({ views: Number(views), instance }))`,
  );
}

/** An instance as the picture shows it. */
export interface Lane {
  name: string;
  state: string;
  /** The views of the page that the instance counted. */
  counted: number;
  /** The text of the session that the instance has in its memory, if that is shown. */
  memory: string;
}

/** The instances as the picture shows them. */
export function lanesOf(page: Page): Promise<Lane[]> {
  return page.evaluate(`[...document.querySelectorAll('#lanes .lane-node')].map((lane) => {
    const { name, state, counted } = lane.dataset;
    const memory = lane.querySelector('.memory-card');
    return { name, state, counted: Number(counted ?? 0), memory: memory.hidden ? '' : memory.textContent };
  })`);
}

/** Tests that need a browser. Without one they are skipped, and the title says why. */
export function describeInBrowser(title: string, tests: () => void): void {
  const missing = browserMissing();
  const reason = missing ? ` (skipped: ${missing})` : '';
  describe.skipIf(missing)(`${title}${reason}`, tests);
}

/**
 * A browser for the tests of a file. Each page is closed after its test, which fails if it had errors.
 *
 * @param home returns the folder of its user, if it needs one of its own
 */
export function useBoards(home?: () => string) {
  let browser: Browser;
  let boards: Board[] = [];

  beforeAll(async () => {
    browser = await launchBrowser(home?.());
  });
  afterAll(() => browser?.close());

  afterEach(async () => {
    const faults = boards.flatMap((board) => board.faults);
    await Promise.all(boards.map((board) => board[Symbol.asyncDispose]()));
    boards = [];
    expect(faults).toEqual([]);
  });

  async function expectLive(page: Page): Promise<void> {
    await expectText(page, '#connection', 'live');
    expect(await dataOf(page, '#connection', 'live')).toBe('true');
  }

  /** A page in a new browser context, ready to use, with its details. */
  async function open(url: string, options?: BoardOptions): Promise<Page> {
    const board = await openBoard(browser, url, { showsDetails: true, ...options });
    boards.push(board);
    if (options?.javaScriptEnabled !== false) await expectLive(board.page);
    return board.page;
  }

  return { open, expectLive };
}
