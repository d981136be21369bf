import { randomBytes } from 'node:crypto';
import { failure } from '../lib/errors.mjs';
import type { Activity } from './activity.ts';

/** The longest output of a seat in characters. Older lines are dropped. */
const MAX_OUTPUT = 8000;

/** One seat of an attendee, who has no working laptop. It runs at most one thing at a time. */
export class Seat {
  readonly number: number;
  /** The secret of the attendee's cookie; `undefined` if the seat is free. */
  token: string | undefined;
  /** The time at which the last page of the attendee was closed, in milliseconds. */
  leftAt = 0;
  /** Open pages of the attendee. */
  pages = 0;
  /** What runs, or waits for its turn: `stack`, or the name of a lesson. */
  job: string | undefined;
  state: 'idle' | 'waiting' | 'starting' | 'running' | 'ending' = 'idle';
  memoryMb = 0;
  output = '';
  /** Of its stack; the same at each start. */
  port: number | undefined;
  activity: Activity | undefined;
  #stop = new AbortController();
  #changed: () => void;

  /** @param changed is called after each change */
  constructor(number: number, changed: () => void) {
    this.number = number;
    this.#changed = changed;
  }

  /** Gives the seat to an attendee. @returns the token */
  take(): string {
    this.token = randomBytes(32).toString('base64url');
    this.output = '';
    this.leftAt = Date.now();
    this.#changed();
    return this.token;
  }

  /** Adds a line to the output. */
  say(line: string): void {
    this.output = `${this.output}${line}\n`.slice(-MAX_OUTPUT);
    this.#changed();
  }

  set(state: Seat['state']): void {
    this.state = state;
    if (state === 'idle') this.job = undefined;
    this.#changed();
  }

  /** Runs an activity until it ends or is stopped. Never fails. */
  async run(start: () => Activity | Promise<Activity>): Promise<void> {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const stopped = new Promise((resolve) => signal.addEventListener('abort', resolve));
    this.output = '';
    this.set('starting');
    try {
      this.activity = await start();
      if (!signal.aborted) this.set('running');
      await Promise.race([stopped, this.activity.ended]);
      this.set('ending');
      await this.activity.close();
    } catch (err) {
      this.say(failure(err).text);
    }
    this.activity = undefined;
    this.memoryMb = 0;
    if (signal.aborted) this.say(signal.reason);
  }

  /** Ends what runs. The output then ends with the reason. */
  stop(reason: string): void {
    if (!this.#stop.signal.aborted) this.#stop.abort(reason);
  }
}
