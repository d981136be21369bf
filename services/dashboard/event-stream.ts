import type { Request, Response } from 'express';
import { sendProblem } from '../shared/http/problem.ts';
import type { Participant } from './protocol.ts';

/** Milliseconds after which a browser reconnects. */
const RETRY_MS = 500;
const MAX_SUBSCRIBERS = 1000;
/** Bytes that may wait for a subscriber. A slow subscriber is disconnected, and reconnects. */
const MAX_WAITING = 256 * 1024;

/** The participant of a subscriber: `undefined` without a session, `null` if it could not be read. */
export type Subscriber = Participant | undefined | null;

/**
 * The pages that are connected via this dashboard, by server-sent events.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStream {
  #draining: AbortSignal;
  #subscribers = new Map<Response, Subscriber>();

  /** @param draining ends all streams, so that browsers reconnect to another dashboard */
  constructor(draining: AbortSignal) {
    this.#draining = draining;
    draining.addEventListener('abort', () => this.#end(() => true));
  }

  get isWatched(): boolean {
    return this.#subscribers.size > 0;
  }

  /** Several pages of one session are one participant. */
  participants(): Participant[] {
    const all = [...this.#subscribers.values()].filter((one) => one != null);
    return [...new Map(all.map((participant) => [participant[0], participant])).values()];
  }

  /** Answers with a stream that begins with `hello`. */
  open(req: Request, res: Response, subscriber: Subscriber, hello: object): void {
    if (this.#draining.aborted || this.#subscribers.size >= MAX_SUBSCRIBERS) {
      sendProblem(res, 503, 'This dashboard is shutting down, or serves as many pages as it can.');
      return;
    }
    res.setHeader('Content-Type', 'text/event-stream');
    res.setHeader('Cache-Control', 'no-store');
    res.setHeader('X-Accel-Buffering', 'no'); // nginx passes each message on at once
    if (req.method === 'HEAD') {
      res.end();
      return;
    }
    res.write(`retry: ${RETRY_MS}\n\n${messageOf('hello', hello)}`);
    this.#subscribers.set(res, subscriber);
    res.once('close', () => this.#subscribers.delete(res));
  }

  /** Disconnects subscribers whose session could not be read, so that they reconnect. */
  endUnknown(): void {
    this.#end((subscriber) => subscriber === null);
  }

  /** Sends the same message to all subscribers. */
  send(event: string, data: object): void {
    const text = messageOf(event, data);
    for (const res of this.#subscribers.keys()) {
      if (res.writableLength > MAX_WAITING) res.destroy();
      else res.write(text);
    }
  }

  #end(isMeant: (subscriber: Subscriber) => boolean): void {
    for (const [res, subscriber] of this.#subscribers) {
      if (!isMeant(subscriber)) continue;
      this.#subscribers.delete(res); // nothing may be written after the end
      res.end();
    }
  }
}

function messageOf(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
