import { once } from 'node:events';
import { Agent, createServer, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A site that a load test must not take for a good one. */
export class BrokenSite implements AsyncDisposable {
  /** Base URL, without a trailing slash. */
  url = '';
  readonly #server;
  readonly #agent = new Agent({ keepAlive: true });

  private constructor(listener: (agent: Agent) => RequestListener) {
    this.#server = createServer(listener(this.#agent));
  }

  /** Answers everything with the same page. */
  static constantPage(): Promise<BrokenSite> {
    return BrokenSite.#start(() => (_req, res) => res.end('<h1>hi</h1>'));
  }

  /** Another program, with health checks, JSON and the header of an instance. */
  static wrongProduct(): Promise<BrokenSite> {
    let visits = 0;
    return BrokenSite.#start(() => (_req, res) => {
      visits += 1;
      res.setHeader('X-Instance', `app-${1 + (visits % 3)}`).end(`{"visits":${visits}}`);
    });
  }

  /** Passes so many requests on, and then answers none. */
  static hanging(target: string, after: number): Promise<BrokenSite> {
    return BrokenSite.#proxy(target, async (number) => {
      if (number > after) await new Promise(() => {});
    });
  }

  /** Answers one of 100 requests with 500. */
  static failing(target: string): Promise<BrokenSite> {
    return BrokenSite.#proxy(target, async (number) => number % 100 === 30);
  }

  /** Becomes slower by 10 ms a second, from the first request after those of setup. */
  static slowing(target: string): Promise<BrokenSite> {
    let startedAt: number | undefined;
    return BrokenSite.#proxy(target, async (number) => {
      if (number > 20) startedAt ??= performance.now();
      if (startedAt) await delay((performance.now() - startedAt) / 100);
    });
  }

  /** @param disturb is awaited before each request, by number; `true` answers it with 500 */
  static #proxy(
    target: string,
    disturb: (number: number) => Promise<unknown>,
  ): Promise<BrokenSite> {
    let number = 0;
    return BrokenSite.#start((agent) => async (req, res) => {
      number += 1;
      if ((await disturb(number)) === true) return void res.writeHead(500).end();
      const { method, headers, url = '' } = req;
      const passed = request(target + url, { method, headers, agent }, (reply) => {
        res.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(res);
      });
      passed.once('error', () => res.destroy());
      req.pipe(passed);
    });
  }

  static async #start(listener: (agent: Agent) => RequestListener): Promise<BrokenSite> {
    const site = new BrokenSite(listener);
    site.#server.listen(0, '127.0.0.1');
    await once(site.#server, 'listening');
    site.url = `http://127.0.0.1:${(site.#server.address() as AddressInfo).port}`;
    return site;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
