import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { startControlServer } from '../../tools/stack/control-server.ts';
import { controlSocket } from '../../tools/stack/folder.ts';
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
import { Events } from '../support/events.ts';
import { range } from '../support/proofs.ts';

const COUNTED = /^100 sent, 100 counted, none lost, none counted twice/;

describeInBrowser('the picture of the system', () => {
  const { open } = useBoards();

  describe('with sessions in Redis', () => {
    let stack: Stack;
    let control: Server;
    beforeAll(async () => {
      const name = `picture-${randomBytes(3).toString('hex')}`;
      const CONTROL_SOCKET = controlSocket(name);
      const env = { ...process.env, FAULT_INJECTION: 'on', CONTROL_SOCKET };
      stack = await Stack.start({ name, env });
      control = await startControlServer(name, stack);
    });
    afterAll(async () => {
      control?.close();
      await stack?.close();
    });
    const expectReady = async (page: Page) => {
      const ready = ['app-1', 'app-2', 'app-3'].map((name) => [name, 'ready']);
      await eventually(
        async () =>
          expect((await lanesOf(page)).map(({ name, state }) => [name, state])).toEqual(ready),
        20_000,
      );
    };

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
      const stored = await inRedis(stack.topology.url, async (redis) => {
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

    it('should show where requests turned round, as soon as an instance is dead', async () => {
      const page = await open(stack.url, { breaks: true });
      await page.locator('#lane-app-2[data-state="ready"]').waitFor();
      const { port } = stack.instances[1] ?? {};
      await stack.process('app-2').kill();
      // By its closed connection: its heartbeat ends 2 s later.
      await page.locator('#lane-app-2[data-state="dead"]').waitFor({ timeout: 1500 });
      try {
        await expectText(page, '#log', /app-2: dead$/);
        let turned = 0;
        for (const views of range(2, 7)) {
          const [reply] = await Promise.all([
            page.waitForResponse((other) => new URL(other.url()).pathname === '/'),
            press(page, 'Visit'),
          ]);
          await expectText(page, '#views', `Views: ${views}`);
          const { 'x-instance': instance, 'x-upstream-addr': addresses } = reply.headers();
          const hasTurned = String(addresses).startsWith(`127.0.0.1:${port}, `);
          if (hasTurned) turned += 1;
          const detour = hasTurned ? ' lane-app-2 nginx' : '';
          expect(await dataOf(page, '#dots', 'way')).toBe(
            `browser nginx${detour} lane-${instance} redis`,
          );
        }
        expect(turned).toBeGreaterThan(0);
        expect(await dataOf(page, '#lane-app-2', 'failed')).toBe(String(turned));
        await expectText(page, '#log', /view 7: app-[13]$/);
        await press(page, 'Start app-2');
        await expectText(page, '#log', /app-2 starts/);
        await page.locator('#lane-app-2[data-state="ready"]').waitFor();
      } finally {
        await eventually(() => stack.scale(3));
      }
    });

    it('should show everybody with a number, at the instance that answered last', async () => {
      const page = await open(stack.url);
      const people = await Promise.all(
        range(1, 10).map(async () => {
          const visitor = new Visitor(stack.url);
          const { session } = await visitor.view();
          const { cookie } = visitor;
          const events = await Events.open(`${stack.url}/dashboard/events`, { cookie });
          return { visitor, id: `person-${session}`, events };
        }),
      );
      const shown = () =>
        page.evaluate<[id: string, instance: string, number: number][]>(
          `[...document.querySelectorAll('#audience .participant')].map(({ id, dataset }) =>
            [id, dataset.instance, Number(dataset.number)])`,
        );
      await expectText(page, '#participants', '11');
      await expectText(page, '#you', /^you are \d+$/);
      const numbers = (await shown()).map(([, , number]) => number);
      expect(new Set(numbers).size).toBe(11);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      for (const _ of range(1, 4)) {
        const before = Number(await dataOf(page, '#dots', 'sent'));
        const served = await Promise.all(
          people.map(async ({ visitor, id }) => {
            const { views, instance } = await visitor.view();
            await visitor.post('/dashboard/participants', { views, instance });
            return [id, instance];
          }),
        );
        await eventually(async () => {
          const others = (await shown()).filter(([id]) => people.some((one) => one.id === id));
          expect(new Map(others.map(([id, instance]) => [id, instance]))).toEqual(
            new Map(served as [string, string][]),
          );
          // A dot for each of their views.
          expect(Number(await dataOf(page, '#dots', 'sent'))).toBe(before + 10);
          expect(await dataOf(page, '#dots', 'way')).toMatch(
            /^person-[0-9a-f]{8} nginx lane-app-[123] redis$/,
          );
        });
        const text = await page.locator('#lanes').textContent();
        const counts = [...String(text).matchAll(/people: (\d+)/g)].map(([, count]) =>
          Number(count),
        );
        expect(counts.reduce((sum, count) => sum + count)).toBe(11);
      }
      for (const { events } of people) await events[Symbol.asyncDispose]();
      await expectText(page, '#participants', '1');
    });

    it('should scale at the press of a key, and restart with another store', async () => {
      const page = await open(stack.url, { breaks: true });
      await page.keyboard.press('+');
      await page.locator('#lane-app-4[data-state="ready"]').waitFor({ timeout: 20_000 });
      expect(stack.instances.length).toBe(4);
      await page.keyboard.press('-');
      await page.locator('#lane-app-4').waitFor({ state: 'detached', timeout: 20_000 });
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED);
      await press(page, 'SESSION_STORE=memory');
      await expectText(page, '#warning', /SESSION_STORE=memory/, 20_000);
      await expectReady(page);
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', /^100 sent, 100 counted, [1-9]\d* lost, [1-9]\d* /);
      await press(page, 'SESSION_STORE=redis');
      await page.locator('#warning').waitFor({ state: 'hidden', timeout: 20_000 });
      await expectReady(page);
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED);
    });

    it('should show a page that comes back by itself if nothing answers', async () => {
      const page = await open(stack.url, { breaks: true });
      const all = [stack.dashboard, ...stack.instances];
      await Promise.all(all.map((one) => one.kill()));
      await page.reload();
      await expectText(page, 'p', /^502 Bad Gateway. This page tries again by itself.$/);
      await stack.dashboard.start(); // without it, the app would answer
      await Promise.all(stack.instances.map((one) => one.start()));
      await page.locator('#views').waitFor({ timeout: 20_000 });
      await expectText(page, '#views', 'Views: 2', 20_000);
    });

    it('should show details when asked to', async () => {
      const page = await open(stack.url, { showsDetails: false });
      const isShown = () => page.locator('#switches').isVisible();
      expect(await isShown()).toBe(false);
      await press(page, 'Details');
      expect(await isShown()).toBe(true);
      await page.keyboard.press('d');
      expect(await isShown()).toBe(false);
      await page.goto(`${stack.url}/#details`);
      await page.reload();
      await expectText(page, '#connection', 'live');
      expect(await isShown()).toBe(true);
    });

    it('should show a phone its own number, color and instance, and one large button', async () => {
      const page = await open(stack.url, {
        viewport: { width: 390, height: 844 },
        showsDetails: false,
      });
      await press(page, 'Visit');
      await expectText(page, '#views', 'Views: 2');
      const [background, badge, top, bottom] = await page.evaluate<
        [string, string, number, number]
      >(
        `[...['browser', 'instance'].map((id) =>
            getComputedStyle(document.getElementById(id)).backgroundColor),
          document.getElementById('visit').getBoundingClientRect().top,
          document.getElementById('visit').getBoundingClientRect().bottom]`,
      );
      expect(background).toBe(badge);
      expect(bottom - top).toBeGreaterThanOrEqual(64);
      expect(bottom).toBeLessThan(844);
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
