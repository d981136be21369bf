import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../../tools/lib/browser.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { catalog } from '../../workshop/kit/catalog.ts';
import { describeInBrowser } from '../support/board.ts';

const FILE = join(ROOT, 'workshop/cheat-sheet.html');
const HTML = readFileSync(FILE, 'utf8');

const collapse = (text: string) => text.replaceAll(/\s+/g, ' ').trim();

describe('workshop/cheat-sheet.html', () => {
  const cases = [...HTML.matchAll(/<article>\s*<h3>(.+?) <span>(.+?)<\/span>(.*?)<\/article>/gs)];
  const quotes = [...HTML.matchAll(/<pre class="\w+" data-file="(.+?)">(.+?)<\/pre>/gs)];

  it.each(cases.map(([, title = '', lessons = '', code = '']) => [title, lessons, code]))(
    'should show the wrong and the right way to "%s", and name the lesson',
    (_, lessons, code) => {
      expect([...code.matchAll(/class="(\w+)"/g)].map(([, way]) => way).slice(0, 2)).toEqual([
        'wrong',
        'right',
      ]);
      const numbers = lessons.match(/\d\d/g) ?? [];
      expect(numbers).not.toHaveLength(0);
      expect(catalog().map(({ number }) => number)).toEqual(expect.arrayContaining(numbers));
    },
  );

  it('should have at least ten cases, and quote the repository for most of them', () => {
    expect(cases.length).toBeGreaterThanOrEqual(10);
    expect(quotes.length).toBeGreaterThan(cases.length);
  });

  it.each(quotes.map(([, file = '', quote = '']) => [file, quote]))(
    'should quote %s as it is: %s',
    (file, quote) => {
      const source = collapse(readFileSync(join(ROOT, file), 'utf8'));
      for (const line of quote.split('\n')) expect(source).toContain(collapse(line));
    },
  );
});

describeInBrowser('workshop/cheat-sheet.html on paper', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchBrowser();
    page = await browser.newPage();
  });
  afterAll(() => browser?.close());

  async function countPages(format: string): Promise<number> {
    const pdf = await page.pdf({ format, printBackground: true });
    return [...pdf.toString('latin1').matchAll(/\/Type\s*\/Page\b/g)].length;
  }

  it.each(['A4', 'Letter'])('should fit on one page of %s', async (format) => {
    await page.goto(pathToFileURL(FILE).href);
    expect(await countPages(format)).toBe(1);
    await page.addStyleTag({ content: 'article { padding-top: 1cm }' });
    expect(await countPages(format)).toBe(2);
  });
});
