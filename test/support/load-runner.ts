import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Summary } from '../../loadtest/lib/summary-data.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';

const MAIN = join(ROOT, 'loadtest/runner/main.ts');

/** The beginning of the scripts: requests as the shim of `k6/http` takes them. */
const HEAD = `
import { check, fail, group, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';
const request = (path: string, timeout = '9s', body: string | null = null) => ({
  method: body === null ? 'GET' : 'POST', url: __ENV.URL + path, body,
  params: { headers: {}, tags: { name: path }, timeout },
});
const batch = (...requests: ReturnType<typeof request>[]) => http.batch(requests);
const get = (path: string, timeout?: string) => batch(request(path, timeout))[0];
const note = (value: unknown) => batch(request('/note', '9s', JSON.stringify(value)));
`;
/** The end of the scripts: it prints exact figures. */
const END = 'export const handleSummary = (data) => ({ stdout: JSON.stringify(data) });';

/** The lines before those of a test's own script. */
export const HEAD_LINES = HEAD.split('\n').length - 1;

export interface RunOptions {
  /** Further options. */
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** Its address is in `__ENV.URL`. */
  server?: { url: string };
}

/** The result of a run. */
export interface Outcome extends Ended {
  summary: Summary;
  /** A value of a metric. */
  value(metric: string, name: string): number | undefined;
}

/** Runs a k6 script with the project's runner. */
export async function runScript(source: string, options: RunOptions = {}): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-runner-'));
  try {
    await using running = startScript(folder, source, options);
    return outcomeOf(await running.ended);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Starts a k6 script, which is written to a folder. */
export function startScript(
  folder: string,
  source: string,
  { args = [], env, server }: RunOptions,
): Running {
  const script = join(folder, 'script.ts');
  writeFileSync(script, `${HEAD}${source}\n${END}\n`);
  return new Running(process.execPath, [MAIN, 'run', ...args, script], {
    URL: server?.url ?? '',
    ...env,
  });
}

export function outcomeOf(ended: Ended): Outcome {
  const summary = ended.stdout ? JSON.parse(ended.stdout) : { metrics: {} };
  const value = (metric: string, name: string) => summary.metrics[metric]?.values[name];
  return { ...ended, summary, value };
}

/** A request that a script sent. */
interface Arrival {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** Milliseconds of a monotonic clock. */
  at: number;
}

/** Replies by the first part of the path; the others are parameters. */
const ROUTES: Record<string, (res: ServerResponse, ...parameters: string[]) => unknown> = {
  cookie: (res, line = '') => res.setHeader('set-cookie', decodeURIComponent(line)).end(),
  delay: (res, ms) => setTimeout(() => res.end('{"late":true}'), Number(ms)),
  json: (res) => res.end('{"items":[{"id":7},{"id":8}]}'),
  redirect: (res) => res.writeHead(302, { location: '/json' }).end(),
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
    res.setHeader('x-two-words', 'seen');
    const answer = ROUTES[route] ?? (() => res.end('{}'));
    answer(res, ...parameters);
  });

  static async start(): Promise<Target> {
    const target = new Target();
    target.#server.listen(0, '127.0.0.1');
    await once(target.#server, 'listening');
    target.url = `http://127.0.0.1:${(target.#server.address() as AddressInfo).port}`;
    return target;
  }

  to(path: string): Arrival[] {
    return this.arrivals.filter((arrival) => arrival.path === path);
  }

  /** The values that a script sent with `note(value)`. */
  // biome-ignore lint/suspicious/noExplicitAny: a note can have any type
  get notes(): any[] {
    return this.to('/note').map(({ body }) => JSON.parse(body));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
