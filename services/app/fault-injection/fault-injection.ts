import type { Logger } from 'pino';
import type { OriginBehaviour } from '../cache/origin.ts';

/** For how long an instance hangs, in milliseconds. */
const HANG_MS = 10_000;
/** As a shell says it of a process that was killed. */
const KILLED = 137;

/** What an instance may be told to do to itself. */
export type Command = 'kill' | 'hang';

/** Breaks this instance and its origin as it is told, for teaching. */
export class Chaos {
  /** How the origin behaves now. */
  readonly origin: OriginBehaviour;
  readonly isEnabled: boolean;
  #configured: OriginBehaviour;
  #log: Logger;

  /** @param configured how the origin behaves where nobody says otherwise */
  constructor(configured: OriginBehaviour, isEnabled: boolean, log: Logger) {
    this.origin = { ...configured };
    this.isEnabled = isEnabled;
    this.#configured = configured;
    this.#log = log;
  }

  /**
   * Does what is there for this instance to do.
   *
   * @param origin how the origin is to behave, as JSON
   */
  obey(command: string | null, origin: string | null): void {
    if (!this.isEnabled) return;
    Object.assign(this.origin, origin === null ? this.#configured : JSON.parse(origin));
    if (command === ('kill' satisfies Command)) this.#kill();
    if (command === ('hang' satisfies Command)) this.#hang();
  }

  #kill(): void {
    this.#log.warn('chaos: killed');
    process.kill(process.pid, 'SIGKILL');
    process.exit(KILLED); // the first process of a container cannot kill itself
  }

  /** Does nothing at all for a while, as in an endless loop. */
  #hang(): void {
    this.#log.warn('chaos: hangs');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HANG_MS);
  }
}
