import { existsSync } from 'node:fs';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { canInstall, findBrowser, howToInstall, installOnDebian } from './programs.mjs';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** The default timeout of a test that waits for the page, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** Messages of Chromium about a reply of 409, 502 or 503, and about a lost connection. */
const EXPECTED =
  /^Failed to load resource: (the server responded with a status of (?:409|50[23])|net::ERR_)/;

let found: { file: string; missing?: never } | { missing: string } | undefined;

/** The reason if no browser can run on this system. As root on Debian it installs one. */
export function browserMissing(): string | undefined {
  found ??= find();
  return found.missing;
}

/**
 * Starts Chromium without a window.
 *
 * @param home the folder of its user, in which it looks for CAs to trust
 */
export async function launchBrowser(home = process.env.HOME): Promise<Browser> {
  found ??= find();
  if (found.missing !== undefined) throw new Error(found.missing);
  const env = { ...process.env, HOME: home };
  return chromium.launch({ executablePath: found.file, args: ARGS, env });
}

function find(): NonNullable<typeof found> {
  const { CHROMIUM } = process.env;
  if (CHROMIUM && !existsSync(CHROMIUM)) return { missing: `there is no CHROMIUM=${CHROMIUM}` };
  let file = CHROMIUM || findBrowser();
  if (!file && canInstall()) {
    try {
      installOnDebian(['chromium'], console.log);
    } catch (err) {
      return { missing: `no Chromium; ${(err as Error).message}` };
    }
    file = findBrowser();
  }
  return file ? { file } : { missing: `no Chromium; to install it: ${howToInstall('chromium')}` };
}

/** Options of a page. */
export interface BoardOptions extends BrowserContextOptions {
  /** The test injects faults, so Chromium may report lost connections, 409, 502 and 503. */
  breaks?: boolean;
  /** Whether the page begins with its details shown; a visitor has to press a button. */
  showsDetails?: boolean;
}

/** The page of a stack in a new browser context, without cookies and storage. */
export class Board implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors on the console or in scripts, and requests to other hosts. A test expects none. */
  readonly faults: string[] = [];

  constructor(context: BrowserContext, page: Page, url: string, breaks: boolean) {
    this.context = context;
    this.page = page;
    const { origin } = new URL(url);
    context.on('console', (message) => {
      if (message.type() !== 'error' || (breaks && EXPECTED.test(message.text()))) return;
      this.faults.push(`console: ${message.text()} (${message.location().url})`);
    });
    context.on('weberror', (failure) => {
      this.faults.push(`script: ${failure.error().stack}`);
    });
    context.on('request', (request) => {
      // Another stack on this machine may be shown in a frame.
      const { hostname } = new URL(request.url());
      if (hostname !== new URL(origin).hostname) this.faults.push(`foreign: ${request.url()}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}

/** Opens the page at `url`. */
export async function openBoard(
  browser: Browser,
  url: string,
  { breaks = false, showsDetails = false, ...options }: BoardOptions = {},
): Promise<Board> {
  const context = await browser.newContext(options);
  // An opaque origin has no storage.
  const details = `if (origin !== 'null') sessionStorage.details ??= 'shown'`;
  if (showsDetails) await context.addInitScript(details);
  context.setDefaultTimeout(TIMEOUT_MS);
  const board = new Board(context, await context.newPage(), url, breaks);
  await board.page.goto(url);
  return board;
}
