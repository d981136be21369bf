// Messages between visitors, by WebSocket. It is optional: delete this file and its lines in app.ts.
import { promisify } from 'node:util';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { trimmedText } from '../../shared/http/json-body.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import { takeSocket } from '../../shared/process/server.ts';
import { isStored } from '../../shared/session/session.ts';
import type { SessionStore } from '../../shared/session/store.ts';

const CHANNEL = 'live';
/** Connections of one instance. */
const MAX_CONNECTIONS = 1000;
/** Bytes of a message from a client. */
const MAX_BYTES = 4096;
/** Bytes that wait for a client. A slower one is disconnected, so that it does not fill the memory. */
const MAX_WAITING_BYTES = 64 * 1024;
/** Milliseconds between two checks of a connection: more often than nginx expects to read from it. */
export const CHECK_MS = 10_000;
/** Milliseconds for a client to confirm that the connection ends. */
const CLOSE_MS = 1000;

/** Why a connection ends. @see https://www.iana.org/assignments/websocket/websocket.xhtml */
const ENDED_SESSION = [1008, 'The session has ended.'] as const;
const RESTART = [1012, 'This instance ends. Please connect again.'] as const;
const TRY_LATER = [1013, 'The shared state is unavailable. Please connect again.'] as const;

const messageText = trimmedText(200);

/** What the route needs. */
export interface LiveOptions {
  store: SessionStore;
  publisher: { publish(channel: string, message: string): Promise<unknown> };
  /** A connection of its own. It subscribes again whenever it is ready, also to another Redis. */
  subscriber: {
    on(event: 'ready', listener: () => void): unknown;
    subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  };
  instance: { name: string };
  draining: AbortSignal;
  log: Logger;
}

/**
 * `GET /live` as a WebSocket: each text that a visitor sends reaches the visitors of all instances, as
 * `{"from","text","via"}`. Redis delivers it at most once: a client misses what is sent while it, or
 * its instance, is not connected.
 */
export function liveMessages(options: LiveOptions): RequestHandler {
  const { store, publisher, subscriber, instance, draining, log } = options;
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_BYTES });
  const isCurrent = async (id: string) => Boolean(await promisify(store.get).call(store, id));

  const deliver = (message: string) => {
    for (const client of server.clients) {
      if (client.bufferedAmount > MAX_WAITING_BYTES) client.terminate();
      else client.send(message);
    }
  };
  const subscribe = () => subscriber.subscribe(CHANNEL, deliver);
  subscriber.on('ready', () => {
    subscribe().catch((err) => log.warn({ reason: err.message }, 'no live messages arrive'));
  });
  draining.addEventListener('abort', () => {
    for (const client of server.clients) {
      client.close(...RESTART);
      setTimeout(() => client.terminate(), CLOSE_MS);
    }
  });

  async function publish(client: WebSocket, id: string, from: string, data: RawData) {
    const { data: text, error } = messageText.safeParse(String(data));
    if (error) return client.send(JSON.stringify({ error: error.issues[0]?.message }));
    client.pause(); // it sends no faster than Redis takes its messages
    try {
      if (!(await isCurrent(id))) return client.close(...ENDED_SESSION);
      await publisher.publish(CHANNEL, JSON.stringify({ from, text, via: instance.name }));
    } catch {
      client.close(...TRY_LATER);
    } finally {
      client.resume();
    }
  }

  function serve(client: WebSocket, id: string, from: string): void {
    let isAnswering = true;
    const check = async () => {
      if (!isAnswering) return client.terminate();
      isAnswering = false;
      client.ping();
      if (!(await isCurrent(id).catch(() => true))) client.close(...ENDED_SESSION);
    };
    const timer = setInterval(() => void check(), CHECK_MS);
    client.on('pong', () => {
      isAnswering = true;
    });
    client.on('message', (data) => void publish(client, id, from, data));
    client.on('error', () => {}); // `close` follows
    client.on('close', () => clearInterval(timer));
  }

  return (req, res) => {
    if (req.headers.upgrade?.toLowerCase() !== 'websocket') {
      res.set('Upgrade', 'websocket');
      return sendProblem(res, 426, 'Only a WebSocket can be opened here.');
    }
    if (!isStored(req)) return sendProblem(res, 401, 'You have no session. GET / starts one.');
    if (draining.aborted || server.clients.size >= MAX_CONNECTIONS) {
      return sendProblem(res, 503, 'This instance has too many connections, or ends.');
    }
    const { sessionID, session } = req;
    server.handleUpgrade(req, takeSocket(res), Buffer.alloc(0), (client) => {
      serve(client, sessionID, session.name ?? 'a guest');
    });
  };
}
