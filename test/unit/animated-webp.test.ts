import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { animatedWebp, type Frame } from '../../tools/lib/animated-webp.ts';
import { launchBrowser } from '../../tools/lib/browser.ts';
import { describeInBrowser } from '../support/board.ts';

/** Makes a still of one color, as the browser encodes it. */
const STILL = `async ({ width, height, color, quality }) => {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { alpha: false });
  context.fillStyle = color;
  context.fillRect(0, 0, width, height);
  const blob = await canvas.convertToBlob({ type: 'image/webp', quality });
  return Array.from(new Uint8Array(await blob.arrayBuffer()));
}`;

/** Decodes an animation. Resolves to its frames, each with the colors of two pixels. */
const DECODE = `async (bytes) => {
  const decoder = new ImageDecoder({ data: new Uint8Array(bytes), type: 'image/webp' });
  await Promise.all([decoder.tracks.ready, decoder.completed]);
  const { frameCount, repetitionCount } = decoder.tracks.selectedTrack;
  const frames = [];
  for (let frameIndex = 0; frameIndex < frameCount; frameIndex += 1) {
    const { image } = await decoder.decode({ frameIndex });
    const { displayWidth: width, displayHeight: height, duration } = image;
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.drawImage(image, 0, 0);
    const pixels = [[8, 8], [270, 40]].map(([x, y]) =>
      [...context.getImageData(x, y, 1, 1).data].map((part) => (part > 127 ? 1 : 0)).join(''));
    frames.push({ width, height, milliseconds: duration / 1000, pixels });
  }
  return { isEndless: repetitionCount === Infinity, frames };
}`;

describeInBrowser('animatedWebp', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  it.each([
    ['lossy', 0.8],
    ['lossless', 1],
  ])('should make a file that Chromium decodes, of %s stills', async (_, quality) => {
    const page = await browser.newPage();
    // Only a page of a trusted origin may decode.
    await page.route('**/*', (route) => route.fulfill({ body: '', contentType: 'text/html' }));
    await page.goto('http://localhost/');
    const frame = async (place: Omit<Frame, 'still'>, color: string): Promise<Frame> => {
      const input = JSON.stringify({ ...place, color, quality });
      const bytes: number[] = await page.evaluate(`(${STILL})(${input})`);
      return { ...place, still: Buffer.from(bytes) };
    };
    const animation = animatedWebp([
      await frame({ x: 0, y: 0, width: 301, height: 64, durationMs: 80 }, 'red'),
      await frame({ x: 258, y: 32, width: 33, height: 17, durationMs: 70_000 }, 'blue'),
      await frame({ x: 0, y: 0, width: 301, height: 64, durationMs: 1000 }, 'lime'),
    ]);

    const size = { width: 301, height: 64 };
    expect(await page.evaluate(`(${DECODE})(${JSON.stringify([...animation])})`)).toEqual({
      isEndless: true,
      frames: [
        { ...size, milliseconds: 80, pixels: ['1001', '1001'] },
        { ...size, milliseconds: 70_000, pixels: ['1001', '0011'] },
        { ...size, milliseconds: 1000, pixels: ['0101', '0101'] },
      ],
    });
  });
});
