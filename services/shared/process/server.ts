import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

// `import` would read all of the module, and so load Node's WebSocket client: 3 MB and 70 ms.
const http = process.getBuiltinModule('node:http');

/**
 * Milliseconds for which an idle connection stays open. It must exceed nginx's 60 s, so that nginx
 * never sends a request on a connection that is being closed.
 * @see https://github.com/nodejs/node/issues/20256
 */
export const KEEP_ALIVE_MS = 65_000;

/**
 * Milliseconds for which a draining server still answers, with `Connection: close`, so that nginx can
 * leave its connections one by one. The same time again passes before idle ones are closed.
 */
const LINGER_MS = 300;

/** Kilobytes of all headers. More than nginx lets pass, so that nginx refuses larger ones. */
export const MAX_HEADERS_KB = 160;

/** The reply to what Node's HTTP parser refuses. */
const REFUSALS: Record<string, [status: number, detail: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
  HPE_HEADER_OVERFLOW: [431, `URL and headers, cookies included, exceed ${MAX_HEADERS_KB} KB.`],
};
const OTHER_REFUSAL = [400, 'This is not a valid HTTP request.'] as const;

/**
 * An HTTP server that can shut down without cutting off a request. A listener that has opened
 * WebSockets closes them itself at the shutdown.
 */
export class HttpServer {
  #server: Server;
  /**
   * The replies in progress on each connection, in order: a client may send several requests at once.
   * One Set of all replies would cost half as much as all else. V8 replaces the table of a Set that
   * gains and loses elements, and each old table keeps the next one alive, with requests that ended.
   */
  #inProgress = new Map<Duplex, ServerResponse[]>();
  /** Connections that Node's HTTP server does not know any more. */
  #upgrading = new Set<Duplex>();
  #refused = new WeakSet<Duplex>();
  #isDraining = false;

  constructor(listener: RequestListener) {
    this.#server = http.createServer({
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADERS_KB * 1024,
      shouldUpgradeCallback: isWebSocket,
    });
    this.#server.on('connection', (socket) => {
      this.#inProgress.set(socket, []);
      socket.once('close', () => this.#inProgress.delete(socket));
    });
    this.#server.on('request', (_req, res) => this.#track(res));
    this.#server.on('request', listener);
    this.#server.on('upgrade', (req, socket, head) => this.#upgrade(req, socket as Socket, head));
    this.#server.on('clientError', (err, socket) => this.#refuse(err, socket));
  }

  /**
   * Resolves to the port when the server accepts connections. Rejects if it cannot have the address
   * (Express's own `listen` would hide that).
   */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  /**
   * Closes each connection after its next reply, then stops accepting, and finishes the requests in
   * progress. Requests that take longer than `timeoutMs` are cut off.
   *
   * @returns the number of requests that were cut off
   */
  async drain(timeoutMs: number): Promise<number> {
    this.#isDraining = true;
    for (const socket of this.#inProgress.keys()) this.#closeAfterLast(socket);
    let cut = 0;
    const timer = setTimeout(() => {
      cut = [...this.#inProgress.values()].flat().length;
      this.#server.closeAllConnections();
      for (const socket of this.#upgrading) socket.destroy();
    }, timeoutMs);
    const closed = once(this.#server, 'close');
    await delay(LINGER_MS);
    // http's own close() also closes idle connections at once, even if a request is on its way.
    NetServer.prototype.close.call(this.#server);
    await Promise.race([closed, delay(LINGER_MS)]);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(timer);
    return cut;
  }

  #track(res: ServerResponse): void {
    const { socket } = res.req;
    const replies = this.#inProgressOn(socket);
    replies.push(res);
    res.once('close', () => {
      replies.splice(replies.indexOf(res), 1);
      // For a reply that had begun before the draining, without `Connection: close`.
      if (this.#isDraining && replies.length === 0) socket.end();
    });
    if (this.#isDraining) this.#closeAfterLast(socket);
  }

  /**
   * Answers a request for a WebSocket like any other, and then closes its connection, unless the
   * listener calls {@link takeSocket}.
   */
  #upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#upgrading.add(socket);
    const res = new http.ServerResponse(req);
    res.shouldKeepAlive = false;
    res.assignSocket(socket);
    res.once('finish', () => takeSocket(res).end());
    socket.on('error', () => {}); // `close` follows
    socket.once('close', () => {
      this.#upgrading.delete(socket);
      res.emit('close');
    });
    if (head.length > 0) socket.unshift(head);
    this.#server.emit('request', req, res);
  }

  #inProgressOn(socket: Duplex): ServerResponse[] {
    return this.#inProgress.get(socket) ?? [];
  }

  /** Lets a connection end with the reply to its last request. */
  #closeAfterLast(socket: Duplex): void {
    const all = this.#inProgressOn(socket);
    for (const res of all.filter(({ headersSent }) => !headersSent)) {
      if (res === all.at(-1)) res.setHeader('Connection', 'close');
      else res.removeHeader('Connection');
    }
  }

  /**
   * Answers what Node's HTTP parser refuses, after the replies to the whole requests before it on the
   * same connection. Otherwise a client would take the refusal for one of them.
   */
  #refuse({ code }: NodeJS.ErrnoException, socket: Duplex): void {
    if (code === 'ECONNRESET' || socket.writableFinished) return void socket.destroy();
    if (this.#refused.has(socket)) return; // each further piece is an error again
    this.#refused.add(socket);
    const last = this.#inProgressOn(socket).findLast(({ req }) => req.complete);
    if (last) last.once('close', () => sendRefusal(code, socket));
    else sendRefusal(code, socket);
  }
}

/** Other upgrades, to HTTP/2 for example, are declined by an ordinary reply. */
function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Ends a request for a WebSocket without a reply. From here on, its connection is the caller's. */
export function takeSocket(res: ServerResponse): Duplex {
  const { socket } = res.req;
  res.detachSocket(socket);
  res.emit('close');
  return socket;
}

/** Sends a problem document, as the routes do. */
function sendRefusal(code: string | undefined, socket: Duplex): void {
  if (!socket.writable) return;
  const [status, detail] = (code && REFUSALS[code]) || OTHER_REFUSAL;
  const title = http.STATUS_CODES[status];
  const body = JSON.stringify({ type: 'about:blank', title, status, detail });
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
