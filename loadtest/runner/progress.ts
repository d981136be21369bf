import type { Run } from './run.ts';

/** Milliseconds between two lines, on a terminal where the line is written over, and elsewhere. */
const TERMINAL_MS = 500;
const ELSEWHERE_MS = 10_000;

/** Says on stderr how far a run has come. */
export class ProgressLine {
  #run: Run;
  #isTerminal = Boolean(process.stderr.isTTY);
  #timer: NodeJS.Timeout;

  constructor(run: Run) {
    this.#run = run;
    const ms = this.#isTerminal ? TERMINAL_MS : ELSEWHERE_MS;
    this.#timer = setInterval(() => this.#write(this.#isTerminal ? '' : '\n'), ms);
  }

  /** Takes the line away, for another one to be written. */
  clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }

  /** Says where the run has ended. */
  end(): void {
    clearInterval(this.#timer);
    this.#write('\n');
  }

  #write(end: string): void {
    const { counts, users, elapsed } = this.#run;
    const time = (elapsed / 1000).toFixed(1);
    const iterations = `${counts.complete} complete and ${counts.interrupted} interrupted iterations`;
    this.clear();
    process.stderr.write(`running (${time}s), ${counts.active}/${users} VUs, ${iterations}${end}`);
  }
}
