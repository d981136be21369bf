import { setTimeout as delay } from 'node:timers/promises';
import type { CDPSession, Page } from 'playwright-core';
import { launchBrowser, openBoard } from '../../lib/browser.ts';
import { newVisitors, viewEvenly } from '../../lib/load.ts';
import { Random } from '../../lib/random.ts';
import { percentile, sum } from '../../lib/statistics.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';

const INSTANCES = 12;
const ROUNDS = 5;
const SECONDS = 4;
const PER_SECOND = 500;
const VISITORS = 16;
/** Milliseconds in which the dots of a burst reach their ends, and in which the page is loaded. */
const SETTLE_MS = 2000;
/** Frames per second. The browser itself draws 60. */
const TARGET = { atLeast: 57 };
/** Milliseconds from one frame to the next if one between them is missing. */
const LONG_MS = 2 * 16.7;

/** Counts the frames of the page: the times of all frames, in milliseconds. */
const COUNT_FRAMES = `
  globalThis.frames = [];
  requestAnimationFrame(function count(now) {
    globalThis.frames.push(now);
    requestAnimationFrame(count);
  })`;
/** Presses a button and waits for the result of the visits. */
const BURST = `(async () => {
  document.getElementById('visit-many').click();
  const summary = document.getElementById('trail-summary');
  while (summary.textContent === '') await new Promise((resolve) => setTimeout(resolve, 10));
  return summary.textContent;
})()`;

/** What the page did in one round, in milliseconds except for the first two. */
interface Drawn {
  perSecond: number;
  /** The share of frames after which one is missing, in percent. */
  long: number;
  p95: number;
  /** CPU time of the main thread for each frame; of it, scripts, and layout with styles. */
  main: number;
  script: number;
  layout: number;
}

/** Measures how smoothly the page draws: idle, while it sends bursts, and while others send. */
export async function measureFrames(): Promise<Figure[]> {
  await using stack = await Stack.start({ scale: INSTANCES });
  const cookies = await newVisitors(stack.url, VISITORS);
  const random = new Random(VISITORS);
  await using browser = await launchBrowser();
  await using board = await openBoard(browser, stack.url, {
    viewport: { width: 1280, height: 900 },
  });
  const { page, context, faults } = board;
  const cdp = await context.newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  await page.evaluate(COUNT_FRAMES);
  const cases: [name: string, note: string, work: () => Promise<unknown>, drawn: Drawn[]][] = [
    ['idle page', `${INSTANCES} instances`, () => delay(SECONDS * 1000), []],
    ['page sends', 'bursts of 100 visits, one after the other', () => burst(page, faults), []],
    [
      'others send',
      `${PER_SECOND} requests/s`,
      () => viewEvenly(stack.url, () => random.pick(cookies), PER_SECOND, SECONDS),
      [],
    ],
  ];
  for (const [, , work] of cases) await work();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [, , work, drawn] of round % 2 ? cases.toReversed() : cases) {
      await delay(SETTLE_MS);
      drawn.push(await watch(page, cdp, work));
    }
  }
  return cases.flatMap(([name, note, , drawn]) => {
    const of = (what: keyof Drawn) => drawn.map((one) => one[what]);
    return [
      figure(`frames, ${name}`, '/s', of('perSecond'), { target: TARGET, note }),
      figure(`frames, ${name}, p95`, 'ms', of('p95'), { note: 'from a frame to the next one' }),
      figure(`frames, ${name}, long`, '%', of('long'), { note: 'of the frames: over 33.4 ms' }),
      figure(`frames, ${name}, main thread`, 'ms', of('main'), { note: costOf(drawn) }),
    ];
  });
}

/** Sends bursts for the time of a measurement. `faults` says why one of them failed. */
async function burst(page: Page, faults: string[]): Promise<void> {
  const until = performance.now() + SECONDS * 1000;
  while (performance.now() < until) {
    const result = await page.evaluate<string>(BURST);
    if (!result.startsWith('100 sent, 100 counted')) {
      throw new Error(`${result}; ${faults[0]}`);
    }
  }
}

/** Counts the frames while something happens. */
async function watch(page: Page, cdp: CDPSession, work: () => Promise<unknown>): Promise<Drawn> {
  const before = await usedMs(cdp);
  await page.evaluate('frames.length = 0');
  await work();
  const times = await page.evaluate<number[]>('frames');
  const after = await usedMs(cdp);
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? NaN));
  const each = (name: string) => ((after.get(name) ?? 0) - (before.get(name) ?? 0)) / gaps.length;
  return {
    perSecond: (gaps.length * 1000) / sum(gaps),
    long: (100 * gaps.filter((ms) => ms > LONG_MS).length) / gaps.length,
    p95: percentile(gaps, 0.95),
    main: each('TaskDuration'),
    script: each('ScriptDuration'),
    layout: each('LayoutDuration') + each('RecalcStyleDuration'),
  };
}

/** The CPU time that the main thread of the page has used so far, by what it did. */
async function usedMs(cdp: CDPSession): Promise<Map<string, number>> {
  const { metrics } = await cdp.send('Performance.getMetrics');
  return new Map(metrics.map(({ name, value }) => [name, value * 1000]));
}

function costOf(drawn: Drawn[]): string {
  const mean = (what: 'script' | 'layout') =>
    (sum(drawn.map((one) => one[what])) / drawn.length).toFixed(2);
  return `CPU time for each frame; of it ${mean('script')} scripts, ${mean('layout')} layout and styles`;
}
