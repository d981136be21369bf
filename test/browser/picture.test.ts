import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import {
  dataOf,
  describeInBrowser,
  expectText,
  lanesOf,
  press,
  textOf,
  trailOf,
  useBoards,
} from '../support/board.ts';
import { range } from '../support/proofs.ts';

const COUNTED = /^100 sent, 100 counted, none lost, none counted twice/;

describeInBrowser('the picture of the system', () => {
  const { open } = useBoards();

  describe('with sessions in Redis', () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await Stack.start({ env: { ...process.env, FAULT_INJECTION: 'on' } });
    });
    afterAll(() => stack?.close());

    it('should show which instance counted each view, and the number that Redis holds', async () => {
      const page = await open(stack.url);
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED);
      const trail = await trailOf(page);
      const lanes = await lanesOf(page);
      expect(lanes.map(({ name }) => name)).toEqual(['app-1', 'app-2', 'app-3']);
      for (const { name, counted, memory } of lanes) {
        expect(counted).toBe(trail.filter(({ instance }) => instance === name).length);
        expect(memory).toBe('');
      }
      await expectText(page, '#card-views', 'Views: 101');
      const stored = await inRedis(stack.redis.url, async (redis) => {
        const keys = await redis.keys('views:*');
        return Promise.all(keys.map((key) => redis.get(key)));
      });
      expect(stored).toEqual(['101']);
      expect(await dataOf(page, '#dots', 'sent')).toBe('101');
      expect(await textOf(page, '#waiting')).toBe('0');
    });

    it('should send each dot where the reply says that the request was', async () => {
      const page = await open(stack.url);
      const way = () => dataOf(page, '#dots', 'way');
      await press(page, 'Visit');
      await expectText(page, '#views', 'Views: 2');
      expect(await way()).toBe(`browser nginx lane-${await textOf(page, '#instance')} redis`);
      await press(page, 'Invalidate');
      await expectText(page, '#fetch-summary', /^invalidated/);
      // The origin first, then Redis. An instance keeps an entry in its own memory under load.
      const ends = { 'local; hit': '', 'redis; hit': ' redis', 'redis; fwd=miss': ' origin' };
      const seen = new Set<string>();
      while (seen.size < 2) {
        await page.locator('#fetch:not([aria-busy="true"])').waitFor(); // it ignores clicks while busy
        const [reply] = await Promise.all([
          page.waitForResponse((other) => new URL(other.url()).pathname === '/data'),
          press(page, 'Fetch'),
        ]);
        const { 'x-instance': instance, 'cache-status': status = '' } = reply.headers();
        const [, end] = Object.entries(ends).find(([start]) => status.startsWith(start)) ?? [];
        await eventually(async () => {
          expect(await way()).toBe(`browser nginx lane-${instance}${end}`);
        });
        seen.add(String(end));
      }
      expect(seen).toContain(' origin');
    });

    it('should show the same without movement', async () => {
      const page = await open(stack.url, { reducedMotion: 'reduce' });
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED);
      const counted = (await lanesOf(page)).map((lane) => lane.counted);
      expect(counted.reduce((sum, one) => sum + one)).toBe(101);
      expect(await dataOf(page, '#dots', 'sent')).toBe(null);
    });

    it('should show a request that waits, and which instance answers it in the end', async () => {
      const page = await open(stack.url);
      for (const { name } of stack.instances) stack.process(name).pause();
      try {
        await press(page, 'Visit');
        await expectText(page, '#waiting', '1');
      } finally {
        for (const { name } of stack.instances) stack.process(name).resume();
      }
      await expectText(page, '#views', 'Views: 2');
      await expectText(page, '#waiting', '0');
    });

    it('should come back by itself if it was opened while Redis was away', async () => {
      await stack.redis.kill();
      let page: Page;
      try {
        page = await open(stack.url, { breaks: true });
        await expectText(page, '#outage', /^Redis does not answer/);
        await expectText(page, '#session-failure', /\S/);
      } finally {
        await stack.redis.start();
      }
      await expectText(page, '#views', 'Views: 1', 20_000);
      await expectText(page, '#card-views', 'Views: 1');
      await page.locator('#outage').waitFor({ state: 'hidden' });
      // One instance has connected; the next test needs all of them.
      for (const { port } of stack.instances) {
        await eventually(async () =>
          expect((await send(`http://127.0.0.1:${port}/readyz`)).status).toBe(200),
        );
      }
    });

    it('should guide through seven steps, and prove each', async () => {
      const page = await open(`${stack.url}/#tour=1`, { breaks: true });
      const proofs = [
        /^app-\d answered with the number from Redis. Views: 2\.$/,
        /^app-\d answered with the number from Redis. Views: 3\.$/,
        /^Your session is logged in as Ada, for all instances/,
        COUNTED,
        /^app-\d is killed$/,
        /^100 sent, 100 counted, none lost, none counted twice, by 2 instances$/,
        /^1 new, 99 cached, .*one request called the origin/,
      ];
      for (const [index, proof] of proofs.entries()) {
        await expectText(page, '#tour-title', `${index + 1} of 7`);
        expect(page.url()).toContain(`#tour=${index + 1}`);
        await page.locator('#tour-act').click();
        await expectText(page, '#tour-proof', proof);
        if (index === 4) {
          await eventually(() => expect(stack.instances.some((one) => !one.isRunning)).toBe(true));
        }
        if (index < 6) await press(page, 'Next');
      }
      await press(page, 'End the tour');
      expect(await page.locator('#tour-step').isVisible()).toBe(false);
      expect(page.url()).toBe(`${stack.url}/`);
      await Promise.all(stack.instances.filter((one) => !one.isRunning).map((one) => one.start()));
    });

    it('should react to the keys of a presenter, but not in a text field', async () => {
      const page = await open(stack.url);
      await page.keyboard.press('Space');
      await expectText(page, '#views', 'Views: 2');
      await page.keyboard.press('b');
      await expectText(page, '#trail-summary', COUNTED);
      await page.keyboard.press('p');
      expect(await dataOf(page, 'body', 'mode')).toBe('presenter');
      expect(await page.locator('#switches').isVisible()).toBe(false);
      await page.keyboard.press('i');
      await page.keyboard.press('p');
      await expectText(page, '#fetch-summary', /^invalidated/);
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: 'Keys' }).waitFor();
      await page.keyboard.press('Escape');
      const name = page.getByRole('textbox', { name: 'Name', exact: true });
      await name.pressSequentially('pb b');
      expect(await name.inputValue()).toBe('pb b');
      expect(await dataOf(page, 'body', 'mode')).toBe('full');
      await expectText(page, '#views', 'Views: 102');
    });
  });

  it('should show twelve instances without scrolling, each with a number of its own', async () => {
    await using stack = await Stack.start();
    for (const count of [6, 9, 12]) await stack.scale(count);
    const page = await open(stack.url, {
      viewport: { width: 1280, height: 720 },
      breaks: true, // the stack ends before the page
    });
    const names = range(1, 12).map((number) => `app-${number}`);
    await eventually(async () => {
      expect((await lanesOf(page)).map(({ name }) => name)).toEqual(names);
    });
    const shown = await page.evaluate<[bottom: number, color: string, number: string][]>(
      `[...document.querySelectorAll('#lanes .lane-node')].map((lane) => [
        lane.getBoundingClientRect().bottom,
        getComputedStyle(lane).borderColor,
        lane.querySelector('.number').textContent,
      ])`,
    );
    expect(Math.max(...shown.map(([bottom]) => bottom))).toBeLessThanOrEqual(720);
    expect(new Set(shown.map(([, color]) => color)).size).toBe(12);
    expect(shown.map(([, , number]) => number)).toEqual(range(1, 12).map(String));
  }, 120_000);
});
