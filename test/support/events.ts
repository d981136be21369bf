import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import type { Hello, Tick } from '../../services/dashboard/protocol.ts';

/** The data of a message, by its event. */
interface Messages {
  hello: Hello;
  tick: Tick;
}

/** A message, with its arrival by `performance.now()`. */
export interface Message {
  event: string;
  data: unknown;
  at: number;
}

/** Reads server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class Events implements AsyncDisposable {
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
  /** All messages so far. */
  readonly messages: Message[] = [];
  /** All lines as they were received. */
  readonly lines: string[] = [];
  /** Resolves to the time by `performance.now()` when the stream has ended, for any reason. */
  readonly ended: Promise<number>;
  #response: IncomingMessage;
  #read = 0;
  #isOver = false;
  #onChange = Promise.withResolvers<void>();

  /** @param headers for example the cookies of a visitor */
  static async open(url: string, headers: Record<string, string> = {}): Promise<Events> {
    const req = request(url, {
      headers: { accept: 'text/event-stream', ...headers },
      agent: false,
    });
    req.end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    return new Events(res);
  }

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.headers = response.headers;
    this.status = response.statusCode ?? 0;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ended = promise;
    response.on('error', () => {});
    response.once('close', () => {
      this.#isOver = true;
      resolve(performance.now());
      this.#changed();
    });
    let message = { event: 'message', data: '' };
    const lines = createInterface({ input: response });
    lines.on('error', () => {}); // the connection was cut: `close` follows
    lines.on('line', (line) => {
      this.lines.push(line);
      const [, field, value = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
      if (field === 'event') message.event = value;
      if (field === 'data') message.data += value;
      if (line !== '' || message.data === '') return;
      const { event, data } = message;
      this.messages.push({ event, data: JSON.parse(data), at: performance.now() });
      message = { event: 'message', data: '' };
      this.#changed();
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** All ticks so far. */
  get ticks(): Tick[] {
    return this.messages.filter(({ event }) => event === 'tick').map(({ data }) => data as Tick);
  }

  /**
   * The next message of an event that satisfies `isWanted`. Messages before it are skipped, and
   * never returned later.
   */
  async next<E extends keyof Messages>(
    event: E,
    isWanted: (data: Messages[E]) => boolean = () => true,
    ms = 10_000,
  ): Promise<Messages[E]> {
    const until = performance.now() + ms;
    for (;;) {
      for (const message of this.messages.slice(this.#read)) {
        this.#read += 1;
        const data = message.data as Messages[E];
        if (message.event === event && isWanted(data)) return data;
      }
      const last = JSON.stringify(this.messages.at(-1)?.data) ?? 'nothing';
      const why = this.#isOver ? 'the stream has ended' : `none came within ${ms} ms`;
      const left = until - performance.now();
      if (this.#isOver || left <= 0) throw new Error(`no such ${event}: ${why}; last: ${last}`);
      const timer = setTimeout(() => this.#changed(), left);
      await this.#onChange.promise;
      clearTimeout(timer);
    }
  }

  /** Skips the messages so far: `next` returns only later ones. */
  skip(): void {
    this.#read = this.messages.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#response.destroy();
    await this.ended;
  }

  #changed(): void {
    this.#onChange.resolve();
    this.#onChange = Promise.withResolvers<void>();
  }
}
