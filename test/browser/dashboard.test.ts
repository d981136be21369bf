import { createHash } from 'node:crypto';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OriginBehavior } from '../../services/app/heartbeat/record.ts';
import type { Overview } from '../../services/dashboard/protocol.ts';
import { sampleOf } from '../../services/dashboard/sample.ts';
import { browserMissing } from '../../tools/lib/browser.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import {
  button,
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

const OUTLINE = `(() => {
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(document.activeElement);
  return [outlineStyle, parseFloat(outlineWidth), outlineColor];
})()`;
/** What can be reached with Tab, in the order of the document. */
const CONTROLS = `[...document.querySelectorAll('a[href], button, input, select, summary')].filter(
  (element) => !element.disabled && element.checkVisibility({ visibilityProperty: true }),
)`;

/** The controls that are too small for a finger. */
const SMALL = `${CONTROLS}.filter(
  (element) => element.localName !== 'a' && element.getBoundingClientRect().height < 24,
).map((element) => element.outerHTML)`;

/** The browser decides how to write a color; a pixel of it is red, green, blue. */
const pixelOf = (selector: string) => `(() => {
  const { backgroundColor, color } = getComputedStyle(document.querySelector('${selector}'));
  const context = new OffscreenCanvas(1, 1).getContext('2d');
  for (const layer of [color, backgroundColor]) {
    context.fillStyle = layer;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data];
})()`;

/** The summary of a burst without a fault. */
const COUNTED = '100 sent, 100 counted, none lost, none counted twice, by 3 instances';

const NEW_SESSION = /session before has ended/;

/** The instances as cards show them: `app-1 ready`. */
function cardsOf(page: Page): Promise<string[]> {
  return page.evaluate(
    `[...document.querySelectorAll('.instance')].map(
      ({ dataset: { name, state } }) => name + ' ' + state)`,
  );
}

async function expectReady(page: Page, count: number): Promise<void> {
  const wanted = range(1, count).map((n) => `app-${n} ready`);
  await eventually(async () => expect(await cardsOf(page)).toEqual(wanted), 20_000);
}

async function expectCard(page: Page, card: string, ms = 20_000): Promise<void> {
  await eventually(async () => expect(await cardsOf(page)).toContain(card), ms);
}

async function expectTrail(page: Page, last: number): Promise<void> {
  await eventually(async () => {
    const views = (await trailOf(page)).map((mark) => mark.views);
    expect(views).toEqual(range(1, last));
  });
  expect(await page.locator('.gap').count()).toBe(0);
  expect(await page.locator('.duplicate').count()).toBe(0);
}

async function expectParticipants(page: Page, count: number): Promise<void> {
  await expectText(page, '#participants', String(count));
  await eventually(async () => expect(await page.locator('.participant').count()).toBe(count));
}

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };
type Look = [viewport: { width: number; height: number }, colorScheme: 'light' | 'dark'];

/** As far as a program can tell, everybody can use the page. */
async function expectAccessible(page: Page, looks: Look[]): Promise<void> {
  await page.evaluate(axe.source);
  for (const [viewport, colorScheme] of looks) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    const look = `${viewport.width} ${colorScheme}`;
    await eventually(async () => {
      const run = `axe.run({ resultTypes: ['violations'] })`;
      const { violations } = await page.evaluate<axe.AxeResults>(run);
      const serious = violations.filter(({ impact }) => /serious|critical/.test(impact ?? ''));
      const shown = serious.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
      expect(shown, look).toEqual([]);
    }, 2000);
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect(width, look).toBeLessThanOrEqual(viewport.width);
    expect(await page.evaluate(SMALL), look).toEqual([]);
  }
}

/** With a name, `route.fetch` asks a name server, and waits five seconds if none answers. */
function withoutName({ url }: Stack): string {
  return url.replace('localhost', '127.0.0.1');
}

it.runIf(process.env.REQUIRE_BROWSER === '1')('should be there, since REQUIRE_BROWSER=1', () => {
  expect(browserMissing()).toBeUndefined();
});

describeInBrowser('the page in a browser', () => {
  const { open, expectLive } = useBoards();

  async function startStack(env: Record<string, string>, options = {}): Promise<Stack> {
    return Stack.start({ env: { ...process.env, FAULT_INJECTION: '', ...env }, ...options });
  }

  describe('of a stack with fault injection', () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack({ FAULT_INJECTION: 'on' });
    });
    afterAll(() => stack?.close());

    it('should show the first view, the instance that counted it, and three instances', async () => {
      const page = await open(stack.url);
      await expectText(page, '#views', 'Views: 1');
      await expectText(page, '#instance', /^app-[123]$/);
      expect(await textOf(page, '#instance')).toBe(await dataOf(page, '#instance', 'instance'));
      await expectReady(page, 3);
      await expectTrail(page, 1);
      expect(await page.locator('.switch.wrong').count()).toBe(0);
      expect(await page.locator('#warning').isVisible()).toBe(false);
      expect(await dataOf(page, '#redis-state', 'reachable')).toBe('true');
      await expectText(page, '#redis-state', 'reachable');
      await page.locator('#latency canvas').waitFor();
      expect(await page.locator('#audience-closed').isVisible()).toBe(true);
      expect(await page.locator('#qr-code').isVisible()).toBe(false);
    });

    it('should count each visit, at every instance, and start from 1 with a new session', async () => {
      const page = await open(stack.url);
      for (const views of range(2, 7)) {
        await press(page, 'Visit');
        await expectText(page, '#views', `Views: ${views}`);
      }
      await expectTrail(page, 7);
      const trail = await trailOf(page);
      expect(trail.at(-1)?.instance).toBe(await dataOf(page, '#instance', 'instance'));
      expect([...new Set(trail.map(({ instance }) => instance))].sort()).toEqual([
        'app-1',
        'app-2',
        'app-3',
      ]);
      await press(page, 'New session');
      await expectText(page, '#views', 'Views: 1');
      await expectTrail(page, 1);
    });

    it('should lose neither the login nor the cart to 100 visits at once', async () => {
      const page = await open(stack.url, { breaks: true }); // 409 for views that were sent before the login
      await page.getByRole('textbox', { name: 'Item' }).fill('tea');
      await press(page, 'Add to cart');
      await expectText(page, '#cart li', 'tea × 1');
      await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Ada');
      await page.evaluate(`for (const button of document.querySelectorAll('button')) {
        if (['Log in', 'Visit ×100'].includes(button.textContent.trim())) button.click();
      }`);
      await expectText(page, '#trail-summary', COUNTED);
      await expectText(page, '#who', 'logged in as Ada');
      await page.reload();
      await expectText(page, '#who', 'logged in as Ada');
      await expectText(page, '#cart li', 'tea × 1');
    });

    it('should lose nothing of 100 visits at once, and go on after a reload', async () => {
      const page = await open(stack.url);
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED);
      await expectText(page, '#views', 'Views: 101');
      await expectTrail(page, 101);
      const before = await trailOf(page);

      await page.reload();
      await expectText(page, '#views', 'Views: 102');
      await expectTrail(page, 102);
      expect((await trailOf(page)).slice(0, 101)).toEqual(before);

      await page.context().clearCookies(); // the session is over, and so is its trail
      await page.reload();
      await expectText(page, '#views', 'Views: 1');
      await expectLive(page);
      await expectTrail(page, 1);
    });

    it('should show one trail on two pages of one browser', async () => {
      const page = await open(stack.url);
      const other = await page.context().newPage();
      await other.goto(stack.url);
      await expectText(other, '#views', 'Views: 2');
      await expectLive(other);
      await press(other, 'Visit');
      await expectText(other, '#views', 'Views: 3');
      await expectTrail(page, 3);
      await expectParticipants(page, 1);
    });

    it('should say that a new session has a trail of its own, on all pages of the browser', async () => {
      const page = await open(stack.url);
      await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Ada');
      await press(page, 'Log in');
      await expectText(page, '#who', 'logged in as Ada');
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED);
      expect(await textOf(page, '#trail-note')).toBe(''); // the login went on with the trail
      await inRedis(stack.topology.url, (redis) => redis.flushAll());
      const other = await page.context().newPage();
      await other.goto(stack.url);
      for (const one of [page, other]) await expectText(one, '#views', 'Views: 1');
      await expectText(page, '#trail-note', NEW_SESSION);
      await expectText(page, '#who', 'not logged in');
      await expectTrail(page, 1);
      await press(page, 'Visit');
      for (const one of [page, other]) await expectTrail(one, 2);
      expect(await textOf(page, '#trail-note')).toBe('');

      await press(page, 'New session');
      await expectText(other, '#trail-note', NEW_SESSION);
      for (const one of [page, other]) await expectTrail(one, 1);
    });

    it('should ask once before 100 visits of a visitor without a cookie', async () => {
      const page = await open(stack.url);
      await page.context().clearCookies();
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED);
      await expectText(page, '#trail-note', NEW_SESSION);
      await expectTrail(page, 100);
      await press(page, 'Visit');
      await expectTrail(page, 101);
    });

    it('should report no view as lost if the session ends during 100 visits', async () => {
      const page = await open(stack.url);
      let views = 0;
      await page.route(`${stack.url}/`, async (route) => {
        views += 1;
        if (views === 50) await page.context().clearCookies();
        await route.continue();
      });
      await press(page, 'Visit ×100');
      await expectText(
        page,
        '#trail-summary',
        /^100 sent, 100 counted, none lost, none counted twice, by 3 instances, \d+ sessions$/,
        40_000, // each passes through the test
      );
      await expectText(page, '#trail-note', NEW_SESSION);
      await page.unroute(`${stack.url}/`);
      await press(page, 'Visit');
      await eventually(async () => {
        const { views } = (await trailOf(page)).at(-1) ?? {};
        expect(`Views: ${views}`).toBe(await textOf(page, '#views'));
      });
      expect(await page.locator('.gap, .duplicate').count()).toBe(0);
    });

    it('should show the highest number, even if the reply with a lower one arrives last', async () => {
      const url = withoutName(stack);
      const page = await open(url);
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      let requests = 0;
      await page.route(`${url}/`, async (route) => {
        requests += 1;
        const isHeld = requests === 2;
        const response = await route.fetch();
        if (isHeld) await released;
        await route.fulfill({ response });
      });
      await press(page, 'Visit ×100');
      await expectText(page, '#views', 'Views: 101', 40_000); // each passes through the test
      release();
      await expectText(page, '#trail-summary', COUNTED);
      expect(await textOf(page, '#views')).toBe('Views: 101');
      await page.unroute(`${url}/`);
    });

    it('should show a view that one session has lost', async () => {
      const page = await open(stack.url);
      await inRedis(stack.topology.url, async (redis) => {
        for (const key of await redis.keys('views:*')) await redis.incr(key);
      });
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED.replace('none lost', '1 lost'));
      expect(await page.locator('.gap').count()).toBe(1);
    });

    it('should fill the cache with one call for 100 requests', async () => {
      const page = await open(stack.url);
      await press(page, 'Invalidate');
      await expectText(page, '#fetch-summary', /^invalidated/);
      const callsBefore = Number(await textOf(page, '#cache-origin-calls'));
      await press(page, 'Fetch ×100');
      await expectText(page, '#fetch-summary', /^1 new, 99 cached\b/);
      await expectText(page, '#cache-origin-calls', String(callsBefore + 1));
      await expectText(page, '#cache-hit-ratio', /^\d+(\.\d+)? ?%$/);
      await expectText(page, '#data-age', /^[0-9] ?s/);
      await press(page, 'Fetch');
      await expectText(page, '#fetch-summary', /^0 new, 1 cached\b/);
    });

    it('should keep views and cart at the login, and start from 1 after the logout', async () => {
      const page = await open(stack.url);
      await expectText(page, '#who', 'not logged in');
      expect(await button(page, 'Log out').isVisible()).toBe(false);
      await page.getByRole('textbox', { name: 'Item' }).fill('tea');
      await press(page, 'Add to cart');
      await expectText(page, '#cart li', 'tea × 1');

      await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Ada');
      await press(page, 'Log in');
      await expectText(page, '#who', 'logged in as Ada');
      expect(await button(page, 'Log in').isVisible()).toBe(false);
      await expectText(page, '#cart li', 'tea × 1');
      await expectText(page, '#card-name', 'Ada');
      await expectText(page, '#card-cart', 'tea × 1');
      await page.getByRole('textbox', { name: 'Item' }).fill('tea');
      await press(page, 'Add to cart');
      await expectText(page, '#cart li', 'tea × 2');
      await press(page, 'Visit');
      await expectText(page, '#views', 'Views: 2');
      await page.reload();
      await expectText(page, '#views', 'Views: 3');
      await expectText(page, '#who', 'logged in as Ada');
      await expectText(page, '#cart li', 'tea × 2');

      await press(page, 'Log out');
      await expectText(page, '#who', 'not logged in');
      await expectText(page, '#views', 'Views: 1');
      await eventually(async () => expect(await page.locator('#cart li').count()).toBe(0));
      for (const id of ['#card-name', '#card-cart']) expect(await textOf(page, id)).toBe('');
    });

    it('should show two browsers as two participants, at the instances that served them', async () => {
      const page = await open(stack.url);
      await expectParticipants(page, 1);
      const other = await open(stack.url);
      await expectParticipants(page, 2);
      await expectParticipants(other, 2);
      const ids = await page
        .locator('.participant')
        .evaluateAll((people) => people.map(({ id }) => id));
      expect(ids.sort()).toEqual([await participantOf(page), await participantOf(other)].sort());

      const dot = `#${await participantOf(page)}`;
      for (const views of range(2, 4)) {
        await press(page, 'Visit');
        await expectText(page, '#views', `Views: ${views}`);
        const instance = await dataOf(page, '#instance', 'instance');
        for (const one of [page, other]) {
          await eventually(async () => expect(await dataOf(one, dot, 'instance')).toBe(instance));
        }
      }
      await expectText(other, '#audience-views', '5'); // 4 of one, 1 of the other
      await other.context().close();
      await expectParticipants(page, 1);
    });

    /** The id of the participant's element, with a hash of the id of the session. */
    async function participantOf(page: Page): Promise<string> {
      const cookies = await page.context().cookies();
      const { value = '' } = cookies.find(({ name }) => name === 'connect.sid') ?? {};
      const [, id = ''] = /^s:([^.]+)/.exec(decodeURIComponent(value)) ?? [];
      return `person-${createHash('sha256').update(id).digest('hex').slice(0, 8)}`;
    }

    it('should be usable with the keyboard alone', async () => {
      const page = await open(stack.url);
      await expectReady(page, 3);
      const count = await page.evaluate<number>(`${CONTROLS}.length`);
      expect(count).toBeGreaterThan(15);
      const reached: number[] = [];
      while (reached.length < count) {
        await page.keyboard.press('Tab');
        const index = await page.evaluate<number>(`${CONTROLS}.indexOf(document.activeElement)`);
        if (index < 0) continue; // something else that scrolls
        reached.push(index);
        const [style, width, color] = await page.evaluate<[string, number, string]>(OUTLINE);
        const name = await page.evaluate('document.activeElement.outerHTML');
        expect(style, `outline of ${name}`).not.toBe('none');
        expect(width, `outline of ${name}`).toBeGreaterThanOrEqual(1);
        expect(color, `outline of ${name}`).not.toMatch(/transparent|, 0\)$/);
      }
      expect(reached).toEqual(range(0, count - 1));

      await button(page, 'Visit').focus();
      await page.keyboard.press('Enter');
      await expectText(page, '#views', 'Views: 2');
      await page.keyboard.press('Space');
      await expectText(page, '#views', 'Views: 3');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Visit');

      await button(page, 'Hang app-2').focus();
      await nextTick(page);
      expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('Hang app-2');
    });

    /** Resolves when a card shows something else: a message has come. */
    async function nextTick(page: Page): Promise<void> {
      const card = '.instance[data-name="app-1"]';
      const before = await textOf(page, card);
      await eventually(async () => expect(await textOf(page, card)).not.toBe(before));
    }

    it('should be accessible: light, dark, on a wide screen and on a phone', async () => {
      const page = await open(stack.url);
      await expectReady(page, 3);
      await page.getByRole('textbox', { name: 'Item' }).fill('W'.repeat(60));
      await press(page, 'Add to cart');
      await page.locator('#cart li').waitFor();
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', /^100 sent, 100 counted/);
      await expectAccessible(page, [
        [DESKTOP, 'light'],
        [DESKTOP, 'dark'],
        [PHONE, 'light'],
        [PHONE, 'dark'],
      ]);
    });

    it('should say without JavaScript how to see the number, and count nothing', async () => {
      const page = await open(stack.url, { javaScriptEnabled: false });
      await expectText(page, 'noscript', /needs JavaScript.*curl/);
      await page.reload();
      expect(await page.context().cookies()).toEqual([]);
    });

    it('should count a view only when a prerendered page is shown', async () => {
      const page = await open(stack.url, { javaScriptEnabled: true });
      await expectText(page, '#views', 'Views: 1');
      const prepared = await page.context().newPage();
      await prepared.addInitScript(`Object.defineProperty(document, 'prerendering', {
        configurable: true, get: () => !globalThis.isShown,
      })`);
      const requests: string[] = [];
      prepared.on('request', (request) => {
        if (request.resourceType() === 'fetch') requests.push(request.url());
      });
      await prepared.goto(stack.url, { waitUntil: 'networkidle' });
      expect(requests).toEqual([]);
      await press(page, 'Visit');
      await expectText(page, '#views', 'Views: 2');
      await prepared.evaluate(`globalThis.isShown = true;
        document.dispatchEvent(new Event('prerenderingchange'))`);
      await expectText(prepared, '#views', 'Views: 3');
      await expectLive(prepared);
    });

    it('should show the nickname and the cart as the other application has them', async () => {
      const page = await open(stack.url);
      await page.getByRole('textbox', { name: 'Nickname' }).fill('Countess');
      await press(page, 'Set nickname');
      await expectText(page, '#who', 'not logged in, nickname Countess');
      await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Ada');
      await press(page, 'Log in');
      await expectText(page, '#who', 'logged in as Ada, nickname Countess');
      const me = await page.evaluate(`fetch('/me').then((reply) => reply.json())`);
      expect(me).toMatchObject({ name: 'Ada', nickname: 'Countess', views: 1 });
      await page.evaluate(`fetch('/cart', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ item: 'coffee', quantity: 3 }),
      })`);
      await page.reload();
      await expectText(page, '#cart li', 'coffee × 3');
    });

    it('should go on counting while the dashboard is away, and connect again', async () => {
      const page = await open(stack.url, { breaks: true });
      await stack.dashboard.kill();
      try {
        await expectText(page, '#connection', 'reconnecting');
        await press(page, 'Visit ×100');
        await expectText(page, '#trail-summary', COUNTED);
        await expectTrail(page, 101);
      } finally {
        await stack.dashboard.start();
      }
      await expectLive(page);
      await expectReady(page, 3);
    });

    it('should work with an app that answers views with text', async () => {
      const page = await open(withoutName(stack));
      await page.route('**/', async (route) => {
        if (route.request().resourceType() === 'document') return route.continue();
        const headers = { ...route.request().headers(), accept: 'text/plain' };
        const response = await route.fetch({ headers });
        expect(await response.text()).toMatch(/^Views: \d+$/);
        return route.fulfill({ response });
      });
      await press(page, 'Visit ×100');
      await expectText(page, '#trail-summary', COUNTED, 40_000); // each passes through the test
      await expectTrail(page, 101);
    });

    it('should make the origin slow and fail, and reset it', async () => {
      const page = await open(stack.url, { breaks: true });
      const origin = async () => {
        const { body } = await send(`${stack.url}/dashboard/instances`);
        return (JSON.parse(body) as Overview).faults.origin;
      };
      const configured = await origin();
      const fetchAnew = async () => {
        await press(page, 'Invalidate');
        await expectText(page, '#fetch-summary', /^invalidated/);
        const [reply] = await Promise.all([
          page.waitForResponse((other) => new URL(other.url()).pathname === '/data'),
          press(page, 'Fetch'),
        ]);
        await reply.finished();
        const { requestStart, responseEnd } = reply.request().timing();
        return { status: reply.status(), ms: responseEnd - requestStart };
      };
      await page.getByRole('slider', { name: 'Origin delay' }).fill('1000');
      await eventuallyEverywhere(async (at) => expect((await at()).delayMs).toBe(1000));
      const slow = await fetchAnew();
      expect(slow.status).toBe(200);
      expect(slow.ms).toBeGreaterThanOrEqual(1000);
      await expectText(page, '#fetch-summary', /^1 new, 0 cached\b/);

      await page.getByRole('slider', { name: 'Origin failures' }).fill('100');
      await eventuallyEverywhere(async (at) => expect((await at()).failurePercent).toBe(100));
      expect((await fetchAnew()).status).toBeGreaterThanOrEqual(500);
      await expectText(page, '#fetch-summary', /1 failed/);

      await press(page, 'Reset origin');
      await eventuallyEverywhere(async (at) => expect(await at()).toEqual(configured));
      expect((await fetchAnew()).ms).toBeLessThan(1000);
      await expectText(page, '#fetch-summary', /^1 new, 0 cached\b/);
    });

    /** Until `check` holds for the origin of each instance. */
    async function eventuallyEverywhere(
      check: (origin: () => Promise<OriginBehavior>) => Promise<void>,
    ): Promise<void> {
      for (const { port } of stack.instances) {
        await eventually(() =>
          check(async () => {
            const { body } = await send(`http://127.0.0.1:${port}/metrics`);
            return sampleOf(body).origin;
          }),
        );
      }
    }

    it('should say that a visit failed while Redis is away, and recover', async () => {
      const page = await open(stack.url, { breaks: true });
      await expectReady(page, 3);
      await stack.redis.kill();
      try {
        await page.locator('#redis-state[data-reachable="false"]').waitFor({ timeout: 4000 });
        await expectText(page, '#redis-state', 'away');
        await expectText(page, '#outage', /^Redis does not answer/);
        await expectText(page, '#shared-hint', /Redis does not answer: nothing is counted/);
        expect(await dataOf(page, 'body', 'redis')).toBe('away');
        await press(page, 'Visit');
        await expectText(page, '#session-failure', /\S/, 5000);
        await expectText(page, '#trail .failed', '✕ 1 failed');
        await expectText(page, '#card-views', 'Views: 1');
        await expectText(page, '#views', 'Views: 1');
        await expectReady(page, 3); // Redis is away, not the instances
        await expectLive(page);
      } finally {
        await stack.redis.start();
      }
      await page.locator('#redis-state[data-reachable="true"]').waitFor();
      expect(await page.locator('#outage').isVisible()).toBe(false);
      await expectText(page, '#shared-hint', /it is in Redis, which all instances share/);
      // The dashboard has connected; each instance connects by itself.
      for (const { port } of stack.instances) {
        await eventually(async () =>
          expect((await send(`http://127.0.0.1:${port}/readyz`)).status).toBe(200),
        );
      }
      await press(page, 'Visit');
      await expectText(page, '#views', 'Views: 2');
      await expectTrail(page, 2);

      await press(page, 'Pause Redis for 5 s');
      await page.locator('#redis-state[data-reachable="false"]').waitFor({ timeout: 4000 });
      await page.locator('#redis-state[data-reachable="true"]').waitFor();
      await expectReady(page, 3);
    });

    it('should show a killed instance as dead, lose nothing, and show it ready again', async () => {
      const page = await open(stack.url, { breaks: true });
      await expectReady(page, 3);
      await stack.process('app-2').kill();
      try {
        await expectCard(page, 'app-2 dead', 3000);
        await expectLive(page);
        expect(await dataOf(page, '#lane-app-2', 'state')).toBe('dead');
        expect(await button(page, 'Kill app-2').isVisible()).toBe(false);
        await press(page, 'Visit ×100');
        await expectText(page, '#trail-summary', COUNTED.replace('by 3', 'by 2'));
        await expectText(page, '#views', 'Views: 101');
        await expectTrail(page, 101);
        await expectAccessible(page, [
          [DESKTOP, 'light'],
          [PHONE, 'dark'],
        ]);
      } finally {
        await stack.process('app-2').start();
      }
      await expectReady(page, 3);
    });

    it('should kill an instance at the press of a button', async () => {
      const page = await open(stack.url, { breaks: true });
      await expectReady(page, 3);
      await press(page, 'Kill app-2');
      await eventually(() => expect(stack.process('app-2').isRunning).toBe(false));
      expect(await dataOf(page, '#latency', 'marks')).toBe('app-2 is killed');
      await expectCard(page, 'app-2 dead', 3000);
      await stack.process('app-2').start();
    });

    it('should show the command to type if it cannot control the stack', async () => {
      const page = await open(stack.url);
      await expectReady(page, 3);
      await page.keyboard.press('+');
      await expectText(page, '#log', /type: docker compose up -d --no-recreate --scale app=4$/);
      await press(page, 'SESSION_STORE=memory');
      await expectText(page, '#log', /type: SESSION_STORE=memory docker compose up -d$/);
      await press(page, 'Replace app-2');
      await expectText(page, '#log', /type: docker restart shared-state-app-2$/);
      await page.keyboard.press('-');
      await expectText(page, '#log', /type: docker compose up -d --no-recreate --scale app=2$/);
      await expectReady(page, 3);
    });

    it('should show instances that come and go', async () => {
      const page = await open(stack.url, { breaks: true });
      await expectReady(page, 3);
      await stack.scale(5);
      await expectReady(page, 5);
      await stack.scale(3);
      await expectReady(page, 3);
      await expectLive(page);
    });
  });

  describe('of a stack that keeps sessions in memory', () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack({ SESSION_STORE: 'memory' });
    });
    afterAll(() => stack?.close());

    it('should warn, and show lost views and duplicates in red', async () => {
      const page = await open(stack.url);
      await page.locator('#warning').waitFor();
      expect(await textOf(page, '#warning')).not.toBe('');
      const { wrong } = await switchesOf(page);
      expect(wrong).toEqual(['SESSION_STORE=memory']);
      expect(await page.getByText('in Redis, which all instances share').isVisible()).toBe(false);
      expect(await page.locator('#faults').isVisible()).toBe(false); // it is off by default
      expect(await page.getByRole('button', { name: /Kill|Hang|Pause/ }).count()).toBe(0);

      expect(await textOf(page, '#warning')).toContain('The dashboard sees no login');
      await press(page, 'Visit ×100');
      await expectText(
        page,
        '#trail-summary',
        /^100 sent, 100 counted, \S+ lost, [1-9]\d* counted twice, by 3 instances$/,
      );
      for (const { name, memory } of await lanesOf(page)) {
        expect(memory, name).toMatch(/^your session here: \d+$/);
      }
      expect(await page.locator('#session-card').isVisible()).toBe(false);
      await expectText(page, '#no-sessions', 'no sessions here');
      await expectText(page, '#shared-hint', /in its own memory/);
      await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Ada');
      await press(page, 'Log in');
      await expectText(page, '#trail-note', /^Only app-\d has the login, in its memory/);
      const marks = page.locator('#trail .gap, #trail .duplicate');
      await marks.first().waitFor();
      const pixel = await page.evaluate<number[]>(pixelOf('#trail .gap, #trail .duplicate'));
      const [red = 0, green = 0, blue = 0] = pixel;
      expect(red, `red of ${pixel}`).toBeGreaterThan(1.5 * Math.max(green, blue));
      await expectAccessible(page, [
        [DESKTOP, 'light'],
        [PHONE, 'dark'],
      ]);
    });
  });

  it('should begin another trail after a restart of the stack, with any store', async () => {
    const port = await freePort();
    let page: Page | undefined;
    for (const SESSION_STORE of ['memory', 'redis', 'redis']) {
      await using stack = await startStack({ SESSION_STORE }, { port });
      page ??= await open(stack.url, { breaks: true });
      const row = page.locator(`.switch[data-name="SESSION_STORE"][data-value="${SESSION_STORE}"]`);
      await row.waitFor({ timeout: 20_000 });
      await expectLive(page);
      await press(page, 'Visit ×100');
      const lossy = /^100 sent, 100 counted, [1-9]\d* lost, [1-9]\d* counted twice/;
      await expectText(page, '#trail-summary', SESSION_STORE === 'memory' ? lossy : COUNTED);
      if (SESSION_STORE === 'redis') await expectTrail(page, (await trailOf(page)).length);
      else expect(await page.locator('.gap').count()).toBeGreaterThan(50);
    }
  }, 120_000);

  /** The switches that the page shows, and which of them it marks as wrong. */
  async function switchesOf(page: Page): Promise<{ all: string[]; wrong: string[] }> {
    const list = (selector: string) =>
      page.evaluate<string[]>(
        `[...document.querySelectorAll('${selector}')].map(
          ({ dataset: { name, value } }) => name + '=' + value)`,
      );
    return { all: await list('.switch'), wrong: await list('.switch.wrong') };
  }

  describe('of a stack that is open to an audience', () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack({ COUNTER: 'session' }, { bind: '0.0.0.0' });
    });
    afterAll(() => stack?.close());

    it('should show the QR code of its address', async () => {
      const page = await open(stack.url);
      const code = page.locator('#qr-code');
      await code.waitFor();
      await eventually(async () => {
        const width = await page.evaluate<number>(
          `document.querySelector('#qr-code').naturalWidth`,
        );
        expect(width).toBeGreaterThan(0);
      });
      expect(await page.locator('#audience-closed').isVisible()).toBe(false);
      expect(await page.locator('#faults').isVisible()).toBe(false);
    });

    it('should serve the page to the audience, with a counter in the session marked as wrong', async () => {
      const page = await open(String(stack.publicUrl));
      await press(page, 'Visit');
      await expectText(page, '#views', 'Views: 2');
      await page.locator('#warning').waitFor();
      const { all, wrong } = await switchesOf(page);
      expect(wrong).toEqual(['COUNTER=session']);
      expect(all).toContain('SESSION_STORE=redis');
      await press(page, 'Visit ×100');
      const lossy =
        /^100 sent, 100 counted, [1-9]\d* lost, [1-9]\d* counted twice, by 3 instances$/;
      await expectText(page, '#trail-summary', lossy);
    });
  });

  describe('of a stack with a key for the presenter', () => {
    const PRESENTER_KEY = 'key-of-the-presenter';
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack({ FAULT_INJECTION: 'on', PRESENTER_KEY }, { scale: 2 });
    });
    afterAll(() => stack?.close());

    it('should say that the key is required', async () => {
      const page = await open(stack.url);
      await page
        .locator('#faults')
        .getByText(/\bkey\b/i)
        .waitFor();
      expect(await button(page, 'Kill app-1').isVisible()).toBe(false);
    });

    it('should take the key out of the address and work with it', async () => {
      const page = await open(`${stack.url}/#key=${PRESENTER_KEY}`, { breaks: true });
      await eventually(() => expect(page.url()).toBe(`${stack.url}/`));
      expect(
        await page
          .locator('#faults')
          .getByText(/\bkey\b/i)
          .isVisible(),
      ).toBe(false);
      await press(page, 'Kill this instance');
      const dead = await eventually(() => {
        const [one] = stack.instances.filter(({ isRunning }) => !isRunning);
        if (!one) throw new Error('all of them are running');
        return one;
      });
      await expectCard(page, `${dead.name} dead`, 3000);
    });
  });
});
