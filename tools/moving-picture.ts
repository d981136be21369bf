// npm run moving-picture: films the page while an instance dies and comes back, as docs/picture.webp.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { animatedWebp, type Frame } from './lib/animated-webp.ts';
import { launchBrowser, openBoard } from './lib/browser.ts';
import { ROOT } from './lib/root.mjs';
import { Stack } from './stack/stack.ts';

const FILE = join(ROOT, 'docs/picture.webp');
const MAX_BYTES = 3_000_000;
const PAGE = { width: 1280, height: 720 };
/** Smaller than the page, which shows its columns one below the other if it is narrow. */
const PICTURE = { maxWidth: 960, maxHeight: 540 };
/** Milliseconds between two frames. */
const INTERVAL_MS = 80;
/** A wait that takes longer is cut. */
const MAX_STILL_MS = 600;
/** Milliseconds for which the last frame is shown. */
const END_MS = 1500;
/** Of the stills, from 0 to 1. */
const QUALITY = 0.8;

/**
 * In the browser: makes a WebP of the part of a picture that differs from the picture before.
 * Resolves to `null` if none does.
 */
const ENCODE = `async ({ png, quality }) => {
  const drawn = (image, left, top, width, height) => {
    const context = new OffscreenCanvas(width, height).getContext('2d', { alpha: false });
    context.drawImage(image, -left, -top);
    return context;
  };
  const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + png)).blob());
  const whole = drawn(image, 0, 0, image.width, image.height);
  const { data } = whole.getImageData(0, 0, image.width, image.height);
  const pixels = new Uint32Array(data.buffer);
  const before = globalThis.before ?? [];
  globalThis.before = pixels;
  let [left, top, right, bottom] = [image.width, image.height, 0, 0];
  pixels.forEach((pixel, i) => {
    if (pixel === before[i]) return;
    const [x, y] = [i % image.width, Math.floor(i / image.width)];
    [left, top] = [Math.min(left, x - (x % 2)), Math.min(top, y - (y % 2))];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
  });
  const [width, height] = [right - left, bottom - top];
  if (width < 0) return null;
  const { canvas } = drawn(image, left, top, width, height);
  const blob = await canvas.convertToBlob({ type: 'image/webp', quality });
  const bytes = Array.from(new Uint8Array(await blob.arrayBuffer()));
  return { x: left, y: top, width, height, bytes };
}`;

type Part = Omit<Frame, 'still' | 'durationMs'> & { bytes: number[] };

/** What the page showed from a point in time on, in milliseconds. */
interface Shot {
  at: number;
  /** In base64. */
  png: string;
}

/** Records the page during `work`; a page that does not change gives no shots. */
async function record(page: Page, work: () => Promise<void>): Promise<Shot[]> {
  const shots: Shot[] = [];
  const devtools = await page.context().newCDPSession(page);
  devtools.on('Page.screencastFrame', ({ data, metadata, sessionId }) => {
    shots.push({ at: 1000 * (metadata.timestamp ?? 0), png: data });
    devtools.send('Page.screencastFrameAck', { sessionId }).catch(() => {}); // after the end
  });
  await devtools.send('Page.startScreencast', { format: 'png', ...PICTURE });
  await work();
  await devtools.send('Page.stopScreencast');
  return shots.sort((a, b) => a.at - b.at);
}

/** Takes the last shot of each interval, and keeps of it what has changed. */
async function encode(page: Page, shots: Shot[]): Promise<Frame[]> {
  const byInterval = new Map(shots.map(({ at, png }) => [Math.floor(at / INTERVAL_MS), png]));
  const parts: (Omit<Frame, 'durationMs'> & { interval: number })[] = [];
  for (const [interval, png] of byInterval) {
    const input = JSON.stringify({ png, quality: QUALITY });
    const part: Part | null = await page.evaluate(`(${ENCODE})(${input})`);
    if (part) parts.push({ ...part, still: Buffer.from(part.bytes), interval });
  }
  return parts.map((part, i) => {
    const next = parts[i + 1];
    if (!next) return { ...part, durationMs: END_MS };
    const waitMs = INTERVAL_MS * (next.interval - part.interval);
    return { ...part, durationMs: Math.min(waitMs, MAX_STILL_MS) };
  });
}

await using stack = await Stack.start({ env: { ...process.env, FAULT_INJECTION: 'on' } });
await using browser = await launchBrowser();
const { page } = await openBoard(browser, stack.url, { viewport: PAGE, colorScheme: 'light' });

/** Presses a key of the page, and watches what happens. */
async function press(key: string, watchMs: number): Promise<void> {
  await page.keyboard.press(key);
  await delay(watchMs);
}

const shown = (text: string | RegExp) =>
  page.getByText(text, { exact: true }).filter({ visible: true }).first();

async function visitMany(): Promise<void> {
  await press('b', 1800);
  await shown(/^100 sent, 100 counted, none lost, none counted twice/).waitFor();
}

await shown('live').waitFor();
await press('p', 500);
const shots = await record(page, async () => {
  await delay(500);
  for (const _ of stack.instances) await press('Space', 800);
  await visitMany();
  await press('k', 500);
  await shown('dead').waitFor();
  await visitMany();
  await stack.scale(stack.instances.length); // starts the dead instance
  await shown('dead').waitFor({ state: 'hidden' });
  await visitMany();
});
const image = animatedWebp(await encode(await browser.newPage(), shots));
if (image.length > MAX_BYTES) {
  throw new Error(
    `The picture has ${image.length} bytes, more than ${MAX_BYTES}: lower QUALITY, or film less.`,
  );
}
writeFileSync(FILE, image);
console.log(`${FILE}: ${Math.round(image.length / 1000)} kB`);
