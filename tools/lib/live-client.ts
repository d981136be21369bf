import { once } from 'node:events';
import WebSocket from 'ws';

/** A message as `GET /live` delivers it, or why a text was refused. */
export type LiveMessage = { from: string; text: string; via: string } | { error: string };

/** A client of `GET /live`, the WebSocket of services/app. */
export class LiveClient {
  readonly messages: LiveMessage[] = [];
  readonly socket: WebSocket;
  /** Resolves to the code with which the connection ended. */
  readonly closed: Promise<number>;

  /**
   * Opens a connection.
   *
   * @param url the address of the route, with http:
   * @throws {Error} `Unexpected server response: 401` if it is refused
   */
  static async open(url: string, headers: Record<string, string>): Promise<LiveClient> {
    const client = new LiveClient(new WebSocket(url.replace(/^http/, 'ws'), { headers }));
    await once(client.socket, 'open');
    client.socket.on('error', () => {}); // `close` follows
    return client;
  }

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => void socket.once('close', resolve));
    socket.on('message', (data) => this.messages.push(JSON.parse(String(data))));
  }
}
