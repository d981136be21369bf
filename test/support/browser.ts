import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ON_MACOS = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** Milliseconds within which the page must do what a test waits for, if the test says nothing else. */
const PATIENCE_MS = 10_000;
/** Milliseconds for which apt-get waits for another one, and in which it must be done. */
const APT_LOCK_SECONDS = 60;
const APT_MS = 300_000;

/** What Chromium itself says of a reply of 502 or 503, and of a connection that was lost. */
const LOST = /^Failed to load resource: (the server responded with a status of 50[23]|net::ERR_)/;

let found: { file: string } | { missing: string } | undefined;

/** Why no browser can be run here; `undefined` where one can. As root on Debian it installs one. */
export function browserMissing(): string | undefined {
  found ??= find();
  return 'missing' in found ? found.missing : undefined;
}

/** Starts a Chromium without a window. */
export async function launchBrowser(): Promise<Browser> {
  found ??= find();
  if ('missing' in found) throw new Error(found.missing);
  return chromium.launch({ executablePath: found.file, args: ARGS });
}

function find(): { file: string } | { missing: string } {
  const { CHROMIUM } = process.env;
  if (CHROMIUM) {
    return isExecutable(CHROMIUM) ? { file: CHROMIUM } : { missing: `no CHROMIUM=${CHROMIUM}` };
  }
  const there = findInstalled();
  if (there) return { file: there };
  if (process.getuid?.() !== 0 || !findProgram('apt-get')) {
    return { missing: 'no Chromium; on Debian: sudo apt-get install chromium' };
  }
  const failure = installOnDebian();
  const file = findInstalled();
  return file ? { file } : { missing: `no Chromium; apt-get install: ${failure}` };
}

function findInstalled(): string | undefined {
  const candidates = [...PROGRAMS.map(findProgram), ON_MACOS];
  return candidates.find((file) => file && isExecutable(file));
}

function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Returns why it failed, if it did. */
function installOnDebian(): string | undefined {
  const apt = (...args: string[]) => {
    const { status, stderr, error } = spawnSync(
      'apt-get',
      ['-o', `DPkg::Lock::Timeout=${APT_LOCK_SECONDS}`, ...args],
      {
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        encoding: 'utf8',
        timeout: APT_MS,
      },
    );
    if (status === 0) return undefined;
    return error?.message ?? stderr.trim().split('\n').at(-1);
  };
  const install = () => apt('install', '-y', '--no-install-recommends', 'chromium');
  console.log('installing chromium with apt-get');
  if (install() === undefined) return undefined;
  apt('update');
  return install();
}

/** How a board is opened. */
export interface BoardOptions extends BrowserContextOptions {
  /** The test breaks something on purpose: Chromium may complain of lost connections, 502 and 503. */
  breaks?: boolean;
}

/** The page of a stack in a browser of its own: no cookies, nothing stored. */
export class Board implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What must not be: errors on the console or in scripts, requests to anybody but the stack. */
  readonly faults: string[] = [];

  constructor(context: BrowserContext, page: Page, url: string, breaks: boolean) {
    this.context = context;
    this.page = page;
    const { origin } = new URL(url);
    context.on('console', (message) => {
      if (message.type() !== 'error' || (breaks && LOST.test(message.text()))) return;
      this.faults.push(`console: ${message.text()} (${message.location().url})`);
    });
    context.on('weberror', (failure) => {
      this.faults.push(`script: ${failure.error().stack}`);
    });
    context.on('request', (request) => {
      if (new URL(request.url()).origin !== origin) this.faults.push(`foreign: ${request.url()}`);
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
  { breaks = false, ...options }: BoardOptions = {},
): Promise<Board> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const board = new Board(context, await context.newPage(), url, breaks);
  await board.page.goto(url);
  return board;
}
