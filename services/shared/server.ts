import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Milliseconds for which an idle connection stays open: longer than nginx keeps it (60 s), so that
 * nginx never sends a request into a connection that is being closed.
 * @see https://github.com/nodejs/node/issues/20256
 */
const KEEP_ALIVE_MS = 65_000;

/**
 * Milliseconds for which a server that is about to end still answers, with `Connection: close`: time
 * for nginx to let go of its connections one by one, rather than to find them closing under a request.
 * As long again it has for what comes on the connections that are still open.
 */
const LINGER_MS = 300;

/** An HTTP server that can end without cutting off a request. */
export class HttpServer {
  #server: Server;
  #underWay = new Set<ServerResponse>();
  #draining = false;

  constructor(listener: RequestListener) {
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
    this.#server.on('request', (_req, res) => this.#follow(res));
    this.#server.on('request', listener);
  }

  /**
   * Resolves to the port when connections are accepted. Rejects where the address cannot be had
   * (Express's own `listen` would swallow that).
   */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  /**
   * Closes each connection after its next reply, soon accepts no more, and finishes the requests
   * under way. What is not finished after `timeoutMs` is cut off.
   *
   * @returns how many requests were cut off
   */
  async drain(timeoutMs: number): Promise<number> {
    this.#draining = true;
    for (const res of this.#underWay) closeAfter(res);
    let cut = 0;
    const timer = setTimeout(() => {
      cut = this.#underWay.size;
      this.#server.closeAllConnections();
    }, timeoutMs);
    const closed = once(this.#server, 'close');
    await delay(LINGER_MS);
    // Not http's close, which ends idle connections at once, also one on which the next request is
    // on its way.
    NetServer.prototype.close.call(this.#server);
    await Promise.race([closed, delay(LINGER_MS)]);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(timer);
    return cut;
  }

  #follow(res: ServerResponse): void {
    if (this.#draining) closeAfter(res);
    this.#underWay.add(res);
    res.once('close', () => this.#underWay.delete(res));
  }
}

function closeAfter(res: ServerResponse): void {
  if (!res.headersSent) res.setHeader('Connection', 'close');
}
