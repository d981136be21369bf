import { MessageChannel, Worker } from 'node:worker_threads';
import { type Exchange, HttpClient } from './http-client.ts';
import type { Tags } from './metrics.ts';
import type { Call, Outcome } from './modules/entry.ts';
import type { Declaration, Operation, Sample } from './modules/host.ts';
import type { Outgoing } from './modules/http.ts';
import { EXIT, Refusal } from './refusal.ts';
import type { Start } from './vu.ts';

/** What every VU of a run is started with. */
export interface Program extends Pick<Start, 'code' | 'file' | 'env'> {
  /** The text of its thread; see readThread. */
  thread: string;
}

/** What a script turns out to be once it has been read. */
export interface Declarations {
  options: unknown;
  /** The names of the functions that it exports. */
  functions: string[];
  metrics: Declaration[];
}

/** What a VU tells its run; the tags are those of the scenario. */
export interface Listener {
  samples(samples: Sample[], tags: Tags): void;
  exchange(exchange: Exchange, request: Outgoing, tags: Tags): void;
  /** What the script writes to the console. */
  log(level: string, text: string): void;
  /** The script ends the run. */
  abort(reason: string): void;
  /** The script wants what this runner lacks. */
  refuse(what: string): void;
  /** Reads a file for `open()`. Throws where it cannot. */
  open(path: string): string;
}

/** One VU: a thread that runs the script, and what it asks for meanwhile. */
export class VirtualUser {
  readonly id: number;
  readonly #program: Program;
  readonly #listener: Listener;
  readonly #http = new HttpClient();
  #worker: Worker | undefined;
  #isBusy = false;
  /** What its samples carry now. */
  tags: Tags = {};
  iterationsMade = 0;
  /** The same by scenario. */
  readonly iterations = new Map<string, number>();

  constructor(id: number, program: Program, listener: Listener) {
    this.id = id;
    this.#program = program;
    this.#listener = listener;
  }

  /**
   * Runs the init code; `undefined` where it was interrupted.
   *
   * @throws {Refusal} where the script throws
   */
  async start(): Promise<Declarations | undefined> {
    const { port1, port2 } = new MessageChannel();
    const answered = new Int32Array(new SharedArrayBuffer(4));
    const { thread: _, ...program } = this.#program;
    const workerData: Start = { ...program, id: this.id, answered, port: port2 };
    const worker = new Worker(this.#program.thread, {
      eval: true,
      workerData,
      transferList: [port2],
      env: {},
    });
    this.#worker = worker;
    port1.on('message', async ([operation, text]: [Operation, string]) => {
      const answer = await this.#answer(operation, text);
      if (answer === undefined) return;
      port1.postMessage(answer);
      Atomics.store(answered, 0, 1);
      Atomics.notify(answered, 0);
    });
    port1.unref();
    const text = await this.#reply(worker);
    if (text === undefined) return undefined;
    const { error, ...declarations } = JSON.parse(text);
    if (error) throw new Refusal(error, EXIT.exception);
    return declarations;
  }

  /** Calls a function of the script; `undefined` where it was interrupted. */
  async call(call: Call): Promise<Outcome | undefined> {
    if (!this.#worker && !(await this.start())) return undefined;
    const worker = this.#worker as Worker;
    worker.postMessage(JSON.stringify(call));
    const text = await this.#reply(worker);
    if (text === undefined) return undefined;
    const outcome: Outcome = JSON.parse(text);
    this.#listener.samples(outcome.samples as Sample[], this.tags);
    return outcome;
  }

  forgetCookies(): void {
    this.#http.forgetCookies();
  }

  /** Ends whatever it is at, wherever it waits; it starts anew when it is called again. */
  interrupt(): void {
    if (this.#isBusy) this.#terminate();
  }

  close(): void {
    this.#terminate();
    this.#http.close();
  }

  #terminate(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  /** The next message of the thread; `undefined` where it ends before. */
  async #reply(worker: Worker): Promise<string | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    const ended = () => resolve(undefined);
    worker.once('message', resolve).once('exit', ended).once('error', reject);
    this.#isBusy = true;
    try {
      return await promise;
    } finally {
      this.#isBusy = false;
      worker.off('message', resolve).off('exit', ended).off('error', reject);
    }
  }

  /** What a blocking call returns, as JSON; `undefined` where nothing waits for it. */
  async #answer(operation: Operation, text: string): Promise<string | undefined> {
    const { value, samples } = JSON.parse(text);
    const listener = this.#listener;
    listener.samples(samples, this.tags);
    switch (operation) {
      case 'request':
        return JSON.stringify({ answer: await this.#send(value) });
      case 'open':
        try {
          return JSON.stringify({ answer: listener.open(value) });
        } catch (err) {
          return JSON.stringify({ error: (err as Error).message });
        }
      case 'log':
        listener.log(value.level, value.text);
        return undefined;
      case 'abort':
        listener.abort(value);
        return undefined; // never: the thread is ended where it waits
      case 'refuse':
        listener.refuse(value);
        return undefined;
      case 'sleep':
        return undefined;
    }
  }

  async #send(requests: Outgoing[]) {
    const replies = await this.#http.send(requests);
    return replies.map((exchanges, i) => {
      for (const one of exchanges) this.#listener.exchange(one, requests[i] as Outgoing, this.tags);
      return exchanges.at(-1)?.reply;
    });
  }
}
