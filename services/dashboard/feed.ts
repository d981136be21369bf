import type { Request, Response } from 'express';
import { sendProblem } from '../shared/http/problem.ts';
import type { Person } from './messages.ts';

/** Milliseconds after which a browser that has lost its feed asks for it again. */
const RETRY_MS = 500;
/** The most pages that one instance feeds. */
const MAX_WATCHERS = 1000;
/** Bytes that may wait for a page before it is taken for one that cannot follow. */
const MAX_WAITING = 256 * 1024;

/**
 * The pages that this instance feeds, by server-sent events.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class Feed {
  #draining: AbortSignal;
  #watchers = new Map<Response, Person | undefined>();
  /** Those of whom it could not be known who they are. */
  #unknown = new Set<Response>();

  /** @param draining ends all of them, so that their browsers ask another instance */
  constructor(draining: AbortSignal) {
    this.#draining = draining;
    draining.addEventListener('abort', () => {
      for (const res of this.#watchers.keys()) this.#end(res);
    });
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Who watches, as far as they have a session. Several pages of one session are one person. */
  people(): Person[] {
    const byId = new Map<string, Person>();
    for (const person of this.#watchers.values()) if (person) byId.set(person.id, person);
    return [...byId.values()];
  }

  /**
   * Feeds a page from now on, beginning with `hello`.
   *
   * @param person `undefined` for somebody without a session, `null` where that cannot be known now
   */
  open(req: Request, res: Response, person: Person | undefined | null, hello: object): void {
    if (this.#draining.aborted) {
      sendProblem(res, 503, 'This instance is shutting down.');
      return;
    }
    if (this.#watchers.size >= MAX_WATCHERS) {
      sendProblem(res, 503, 'This instance feeds as many pages as it can.');
      return;
    }
    res.setHeader('Content-Type', 'text/event-stream');
    res.setHeader('Cache-Control', 'no-store');
    res.setHeader('X-Accel-Buffering', 'no'); // nginx hands on each message at once
    if (req.method === 'HEAD') {
      res.end();
      return;
    }
    res.write(`retry: ${RETRY_MS}\n\n${eventOf('hello', hello)}`);
    this.#watchers.set(res, person ?? undefined);
    if (person === null) this.#unknown.add(res);
    res.once('close', () => this.#forget(res));
  }

  /** Has those come again of whom it could not be known who they are. */
  askAgain(): void {
    for (const res of this.#unknown) this.#end(res);
  }

  /** Sends the same to all. A page that does not follow is let go; it comes back and is told everything. */
  send(event: string, data: object): void {
    if (!this.isWatched) return;
    const text = eventOf(event, data);
    for (const res of this.#watchers.keys()) {
      if (res.writableLength > MAX_WAITING) res.destroy();
      else res.write(text);
    }
  }

  #end(res: Response): void {
    this.#forget(res); // nothing may be written to it after its end
    res.end();
  }

  #forget(res: Response): void {
    this.#watchers.delete(res);
    this.#unknown.delete(res);
  }
}

function eventOf(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
