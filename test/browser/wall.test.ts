import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Board, launchBrowser, openBoard } from '../../tools/lib/browser.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { describeInBrowser, expectText, press, textOf } from '../support/board.ts';

/** Phones of an audience. */
const PHONES = 40;
/** Starting two or three stacks. */
const LESSON_MS = 50_000;

/** The wall of a lesson: its address, and that of the phones on this machine. */
async function present(lesson: string, env: NodeJS.ProcessEnv = {}) {
  const args = ['run', 'lesson', '--silent', '--', lesson, '--present'];
  const running = new Running('npm', args, { BROWSER: 'true', ...env }, ROOT, 'pipe');
  const url = await eventually(() => {
    const [, found] = /^The wall: (\S+)$/m.exec(running.stderr) ?? [];
    if (!found) throw new Error(running.stdout + running.stderr);
    return found;
  });
  const { origin } = new URL(url);
  return { running, url, origin, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

const json = { 'content-type': 'application/json' };

function post(url: string, body: object, headers: Record<string, string> = {}) {
  return send(url, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: JSON.stringify(body),
  });
}

/** A phone opens the page. Resolves to its cookie. */
async function join(origin: string): Promise<string> {
  const { headers } = await send(origin);
  return String(headers['set-cookie']).split(';')[0] ?? '';
}

/** The states that a phone receives, until the wall ends. */
async function receive(origin: string, cookie: string) {
  const { body } = await fetch(`${origin}/events`, { headers: { cookie } });
  const received = { text: '' };
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of body ?? []) received.text += decoder.decode(chunk, { stream: true });
  };
  read().catch(() => {}); // the end of the wall breaks the connection
  await eventually(() => expect(received.text).toMatch(/\n\n$/));
  return received;
}

async function expectAccessible(page: Page): Promise<void> {
  // Axe does not run in the frames, whose pages have their own tests.
  const run = `axe.run({ resultTypes: ['violations'], iframes: false })`;
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>(run);
  expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
}

const untilPhase = (page: Page, phase: string, ms?: number) =>
  eventually(async () => {
    expect(await page.locator('body').getAttribute('data-phase')).toBe(phase);
  }, ms);

describeInBrowser('npm run lesson -- NAME --present', () => {
  let browser: Awaited<ReturnType<typeof launchBrowser>>;
  const boards: Board[] = [];
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    const faults = boards.flatMap((board) => board.faults);
    await Promise.all(boards.splice(0).map((board) => board[Symbol.asyncDispose]()));
    expect(faults).toEqual([]);
  });
  const open = async (url: string) => {
    const board = await openBoard(browser, url, { breaks: true });
    boards.push(board);
    return board.page;
  };

  it('should show the votes of 40 phones, then the truth beside them', async () => {
    const PUBLIC_URL = 'http://phones.example:8095';
    await using wall = await present('lost-updates', { PUBLIC_URL });
    const { url, origin } = wall;
    const page = await open(url);
    await expectText(page, '#title', 'Lost updates');
    await expectText(page, '#address', PUBLIC_URL);
    await page.locator('#qr-code').evaluate('(image) => image.decode()');

    const cookies = await Promise.all(Array.from({ length: PHONES }, () => join(origin)));
    const [first = ''] = cookies;
    const phones = await Promise.all(cookies.map((cookie) => receive(origin, cookie)));
    const { step, asks } = JSON.parse(phones[0]?.text.replace('data: ', '') ?? '');
    expect(asks).toHaveLength(2);
    const vote = (cookie: string, guess: unknown, more: object = {}, headers = {}) =>
      post(`${origin}/votes`, { step, ask: 0, guess, ...more }, { cookie, ...headers });
    const replies = await Promise.all(cookies.map((cookie, i) => vote(cookie, i < 30 ? 0 : 200)));
    expect(replies.map(({ status }) => status)).toEqual(Array(PHONES).fill(204));
    expect((await vote(first, 200)).status).toBe(204); // changes the vote
    for (const guess of [-1, 1e9, '5', null]) expect((await vote(first, guess)).status).toBe(422);
    expect((await vote('', 1)).status).toBe(403);
    expect((await vote(first, 1, { ask: 2 })).status).toBe(422);
    expect((await vote(first, 1, {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    const bars = page.locator('#asks > :first-child .bars li');
    await eventually(async () => {
      const cells = await bars.locator('.label, .count').allTextContents();
      expect(cells).toEqual(['0', '29', '200', '11']);
    });
    await expectText(page, '#status', `phones: ${PHONES}, votes: ${PHONES}`);
    await expectAccessible(page);

    const phone = await open(origin);
    await phone.getByRole('spinbutton').first().fill('150');
    await phone.getByRole('button', { name: 'Vote' }).first().click();
    await expectText(phone, '.ask:first-child .hint', 'Your guess: 150');
    await expectAccessible(phone);

    expect((await post(`${origin}/present/${'x'.repeat(22)}/next`, { step })).status).toBe(404);
    expect((await post(`${url}/next`, { step: step + 1 })).status).toBe(409);
    await page.keyboard.press('Space');
    await untilPhase(page, 'running');
    expect((await vote(first, 1)).status).toBe(409);
    expect((await vote(first, 1, { step: step + 1 })).status).toBe(409);

    await untilPhase(page, 'truth', LESSON_MS);
    await expectText(page, '#asks > :first-child [data-true="true"]', /✓ observed: \d+$/);
    await expectText(
      page,
      '#asks > :first-child .summary',
      /^\d+ of 41 were right \(within 10 %\)/,
    );
    for (const { text } of phones) expect(text).toMatch(/"phase":"truth".+"observed":0/);
    await expectText(phone, '.ask:first-child .own', 'Your guess: 150');
    await expectText(phone, '.ask:first-child .truth', /^Observed: [1-9]\d+$/);
    await expectAccessible(page);
    await page.keyboard.press('Space');
    await expectText(page, '#wrong-rows .red', /^[1-9]\d+$/);
    await expectText(page, '#right-rows .green', '0');
    await expectText(
      page,
      '#verdict',
      /^Of 200 simultaneous views, .+ a single step in Redis lost 0/,
    );
    await expectAccessible(page);

    // Both stacks stay: the same requests lose views in one and none in the other.
    await press(page, 'Stacks');
    const shown = (way: string, id: string) =>
      page.frameLocator(`#${way} iframe`).locator(id).textContent();
    await eventually(async () => {
      for (const way of ['wrong', 'right']) expect(await shown(way, '#views')).toBe('Views: 1');
    });
    await press(page, 'Visit both ×100');
    await eventually(async () => expect(await shown('right', '#views')).toBe('Views: 101'));
    expect(await shown('wrong', '#trail-summary')).toMatch(/[1-9]\d* counted twice/);
  }, 120_000);

  it('should show in red what contradicts the claim: the right way with sessions in memory', async () => {
    await using wall = await present('shared-counter', { SESSION_STORE: 'memory' });
    const page = await open(wall.url);
    await untilPhase(page, 'question');
    await expectText(
      page,
      '#closed',
      /^Only this machine reaches this page\. .+ BIND=0\.0\.0\.0\.$/,
    );
    wall.running.child.stdin?.write('\n'); // Enter in the terminal
    await untilPhase(page, 'truth', LESSON_MS);
    expect(await page.locator('#right-rows .red').allTextContents()).toContain(
      '1 1 1 1 1 1 1 1 1 ✗ refuted',
    );
    expect(await textOf(page, '#verdict')).toMatch(/^The observations contradict the claim: /);
  }, 120_000);
});
