import { once } from 'node:events';
import {
  createServer,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
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

/** The status for what Node refuses; 400 for all else. */
const STATUS_OF: Record<string, number> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** An HTTP server that can end without cutting off a request. */
export class HttpServer {
  #server: Server;
  #underWay = new Set<ServerResponse>();
  #draining = false;

  constructor(listener: RequestListener) {
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
    this.#server.on('request', (_req, res) => this.#follow(res));
    this.#server.on('request', listener);
    this.#server.on('clientError', refuse);
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

/** Answers what is no HTTP, or none that Node reads, as an instance answers what it refuses. */
function refuse({ code }: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || code === 'ECONNRESET') return void socket.destroy();
  const status = (code && STATUS_OF[code]) || 400;
  const title = STATUS_CODES[status];
  const body = JSON.stringify({ type: 'about:blank', title, status });
  socket.end(
    [
      `HTTP/1.1 ${status} ${title}`,
      'Connection: close',
      'Content-Type: application/problem+json',
      `Content-Length: ${body.length}`,
      'Cache-Control: no-store',
      '',
      body,
    ].join('\r\n'),
  );
}

function closeAfter(res: ServerResponse): void {
  if (!res.headersSent) res.setHeader('Connection', 'close');
}
