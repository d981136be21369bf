import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';

const MAIN = join(ROOT, 'loadtest/runner/main.ts');
/** Longer than any script of a test takes. */
const TIMEOUT_MS = 22_000;
/** Appended to a script, it prints exact figures. */
const FIGURES = 'export const handleSummary = (data) => ({ stdout: JSON.stringify(data) });';

/** The part of a summary that the tests read. */
export interface Summary {
  metrics: Record<string, SummaryMetric>;
  root_group: SummaryGroup;
  state: { testRunDurationMs: number };
}

export interface SummaryMetric {
  values: Record<string, number>;
  thresholds?: Record<string, { ok: boolean }>;
}

export interface SummaryGroup {
  name: string;
  path: string;
  groups: SummaryGroup[];
  checks: { name: string; passes: number; fails: number }[];
}

/** A line of `-o json=FILE`. */
export interface OutputLine {
  type: string;
  metric: string;
  data: { time: string; value: number; tags: Record<string, string>; type?: string };
}

export interface RunOptions {
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** Contents of files beside the script, by file name. */
  files?: Record<string, string>;
  /** The server for the script's requests. Its address is in `__ENV.URL`. */
  server?: Target;
  /** Keeps the script's own summary. */
  ownSummary?: boolean;
  /** Passes `-o json=FILE`. */
  lines?: boolean;
  /** Sends a signal once the promise resolves. */
  signal?: { name: NodeJS.Signals; when: Promise<unknown> };
}

/** The result of a run. */
export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
  ms: number;
  lines: OutputLine[];
  summary: Summary;
  /** Contents of the files that the run wrote, by file name. */
  written: Record<string, string>;
}

/** Runs a k6 script with the project's runner, in a temporary folder. */
export async function runScript(source: string, options: RunOptions = {}): Promise<Outcome> {
  const { args = [], env, files = {}, server, ownSummary, lines, signal } = options;
  const folder = mkdtempSync(join(tmpdir(), 'load-runner-'));
  const script = ownSummary ? source : `${source}\n${FIGURES}\n`;
  const given = { 'script.ts': script, ...files };
  for (const [name, content] of Object.entries(given)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  const words = [...args, ...(server ? ['-e', `URL=${server.url}`] : [])];
  if (lines) words.push('-o', 'json=lines.json');
  const from = performance.now();
  try {
    await using running = new Running(
      process.execPath,
      [MAIN, 'run', ...words, 'script.ts'],
      env,
      folder,
    );
    const timer = setTimeout(() => running.child.kill('SIGKILL'), TIMEOUT_MS);
    signal?.when.then(
      () => running.child.kill(signal.name),
      () => running.child.kill('SIGKILL'),
    );
    const { code, stdout, stderr } = await running.ended;
    clearTimeout(timer);
    const ms = performance.now() - from;
    const written = readFiles(folder, Object.keys(given));
    const parsed = (written['lines.json'] ?? '').split('\n').filter(Boolean);
    return {
      ...{ code, stdout, stderr, ms, written },
      lines: parsed.map((line) => JSON.parse(line)),
      summary: stdout.startsWith('{') ? JSON.parse(stdout) : { metrics: {} },
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readFiles(folder: string, except: string[]): Record<string, string> {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const own = names.map(({ name }) => name).filter((name) => !except.includes(name));
  return Object.fromEntries(own.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** A request as the server received it. */
export interface Arrival {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** Milliseconds of a monotonic clock. */
  at: number;
}

/** Replies by the first segment of the path. The other segments are parameters. */
const ROUTES: Record<string, (res: ServerResponse, ...parameters: string[]) => unknown> = {
  cookie: (res, name, value) => res.setHeader('set-cookie', `${name}=${value}; Path=/`).end(),
  delay: (res, ms) => setTimeout(() => res.end('late'), Number(ms)),
  json: (res) => res.end('{"items":[{"id":7},{"id":8}],"of":{"shop":"small"}}'),
  loop: (res) => res.writeHead(302, { location: '/loop' }).end(),
  astray: (res) => res.writeHead(302, { location: 'http://[' }).end(),
  redirect: (res, status, to) => res.writeHead(Number(status), { location: `/${to}` }).end(),
  reset: (res) => res.socket?.resetAndDestroy(),
  silent: () => {},
  status: (res, status) => res.writeHead(Number(status)).end(),
};

/** A server that records the requests of scripts. */
export class Target implements AsyncDisposable {
  /** Base URL, without a trailing slash. */
  url = '';
  readonly arrivals: Arrival[] = [];
  /** The largest number of requests in progress at the same time. */
  mostAtOnce = 0;
  #atOnce = 0;
  #server = createServer(async (req, res) => {
    const at = performance.now();
    this.#atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    res.once('close', () => {
      this.#atOnce -= 1;
    });
    const { method = '', url: path = '', headers } = req;
    this.arrivals.push({ method, path, headers, body: await text(req), at });
    const [, route = '', ...parameters] = path.split('/');
    res.setHeader('x-two-words', 'seen').setHeader('etag', '"1"');
    const answer = ROUTES[route] ?? (() => res.end('ok'));
    answer(res, ...parameters);
  });

  static async start(): Promise<Target> {
    const target = new Target();
    target.#server.listen(0, '127.0.0.1');
    await once(target.#server, 'listening');
    target.url = `http://127.0.0.1:${(target.#server.address() as AddressInfo).port}`;
    return target;
  }

  get paths(): string[] {
    return this.arrivals.map(({ path }) => path);
  }

  to(path: string): Arrival[] {
    return this.arrivals.filter((arrival) => arrival.path === path);
  }

  /** The bodies that were sent to a path. */
  bodies(path: string): string[] {
    return this.to(path).map(({ body }) => body);
  }

  /** The values that a script sent with `note(value)`; see NOTE. */
  // biome-ignore lint/suspicious/noExplicitAny: a note can have any type
  get notes(): any[] {
    return this.bodies('/note').map((body) => JSON.parse(body));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** The beginning of a script that reports values to the server. */
export const NOTE = `
import http from 'k6/http';
const URL = __ENV.URL;
const note = (value) => http.post(URL + '/note', JSON.stringify(value));
`;
