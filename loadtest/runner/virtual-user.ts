import { MessageChannel, Worker } from 'node:worker_threads';
import { HttpClient } from './http-client.ts';
import type { Declaration, Message, Sample } from './modules/host.ts';
import { EXIT, Refusal } from './refusal.ts';
import type { Call, Start } from './vu.mjs';

/** The same for the threads of all VUs. */
export type Program = Pick<Start, 'file' | 'env' | 'sources'>;

/** What a script turns out to be when it was loaded. */
export interface Declarations {
  options: object;
  /** The names of the functions that it exports. */
  functions: string[];
  metrics: Declaration[];
  /** Its files without types, for the next threads. */
  sources: Record<string, string>;
}

/** How a call ended: with a value, as JSON, or with an exception. */
export interface Outcome {
  json?: string;
  error?: string;
}

/** Receives what a VU sends during its calls. */
export interface Listener {
  samples(samples: Sample[]): void;
  log(level: string, text: string): void;
}

/** One VU: a thread that runs the script, and its requests. */
export class VirtualUser {
  iterationsMade = 0;
  readonly #listener: Listener;
  readonly #http: HttpClient;
  readonly #worker: Worker;
  #isInterrupted = false;
  /** Resolves when the script is loaded. Rejects with a {@link Refusal} if that throws. */
  readonly loaded: Promise<Declarations | undefined>;

  constructor(id: number, program: Program, listener: Listener, isInsecure: boolean) {
    this.#listener = listener;
    this.#http = new HttpClient(isInsecure);
    const { port1, port2 } = new MessageChannel();
    const answered = new Int32Array(new SharedArrayBuffer(4));
    const workerData: Start = { ...program, id, answered, port: port2 };
    const url = new URL('vu.mjs', import.meta.url);
    this.#worker = new Worker(url, { workerData, transferList: [port2], env: {} });
    port1.on('message', async (message: Message) => {
      const replies = await this.#handle(message);
      if (!replies) return;
      port1.postMessage(replies);
      Atomics.store(answered, 0, 1);
      Atomics.notify(answered, 0);
    });
    this.loaded = this.#reply().then((reply) => {
      const loaded = reply as (Declarations & { error?: string }) | undefined;
      if (loaded?.error) throw new Refusal(loaded.error, EXIT.exception);
      return loaded;
    });
  }

  /** Calls a function of the script; `undefined` if it was interrupted. */
  async call(call: Call): Promise<Outcome | undefined> {
    if (this.#isInterrupted) return undefined;
    this.#worker.postMessage(call);
    const outcome = (await this.#reply()) as (Outcome & { samples: Sample[] }) | undefined;
    if (outcome) this.#listener.samples(outcome.samples);
    return outcome;
  }

  forgetCookies(): void {
    this.#http.forgetCookies();
  }

  /** Ends the call in progress. Later calls end at once. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#worker.terminate();
    this.#http.abort();
  }

  async #handle({ requests, line, samples }: Message) {
    this.#listener.samples(samples);
    if (line) this.#listener.log(...line);
    const replies = requests && (await this.#http.send(requests));
    replies?.forEach(({ error }, i) => {
      const { method, url } = requests?.[i] ?? {};
      if (error && !this.#isInterrupted) this.#listener.log('warn', `${method} ${url}: ${error}`);
    });
    return replies;
  }

  /** The next message of the thread; `undefined` if the thread ends before. */
  async #reply(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const ended = () => resolve(undefined);
    this.#worker.once('message', resolve).once('exit', ended).once('error', reject);
    try {
      return await promise;
    } finally {
      this.#worker.off('message', resolve).off('exit', ended).off('error', reject);
    }
  }
}
