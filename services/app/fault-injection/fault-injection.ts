import type { Logger } from 'pino';
import { z } from 'zod';
import type { FaultCommand, OriginBehavior } from '../heartbeat/record.ts';
import type { Faults } from '../heartbeat/scripts.ts';

const HANG_MS = 10_000;
/** The exit code that a shell reports for a killed process. */
const KILLED = 137;

const originBehavior = z.object({ delayMs: z.number(), failurePercent: z.number() });

/** Applies faults to this instance and its origin, for teaching. */
export class FaultInjection {
  /** How the origin behaves now. */
  readonly origin: OriginBehavior;
  #configured: OriginBehavior;
  #isEnabled: boolean;
  #log: Logger;

  /** @param configured how the origin behaves without a fault */
  constructor(configured: OriginBehavior, isEnabled: boolean, log: Logger) {
    this.origin = { ...configured };
    this.#configured = configured;
    this.#isEnabled = isEnabled;
    this.#log = log;
  }

  /** Does nothing if fault injection is off, and ignores what it cannot read. */
  apply({ command, origin }: Faults): void {
    if (!this.#isEnabled) return;
    Object.assign(this.origin, readOrigin(origin) ?? this.#configured);
    if (command === ('kill' satisfies FaultCommand)) this.#kill();
    if (command === ('hang' satisfies FaultCommand)) this.#hang();
  }

  #kill(): void {
    this.#log.warn('fault injection: killed');
    process.kill(process.pid, 'SIGKILL');
    process.exit(KILLED); // the first process of a container cannot kill itself
  }

  /** Blocks the event loop, as an endless loop would. */
  #hang(): void {
    this.#log.warn('fault injection: hangs');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HANG_MS);
  }
}

function readOrigin(json: string | null): OriginBehavior | undefined {
  try {
    return json === null ? undefined : originBehavior.parse(JSON.parse(json));
  } catch {
    return undefined;
  }
}
