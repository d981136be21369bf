import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A small process beside the launcher that ends the others when the launcher itself is gone. */
export class Guard {
  #process: ChildProcess;

  /** @param folder what is removed at the end, however the launcher ends */
  constructor(folder: string) {
    this.#process = spawn('sh', [fileURLToPath(import.meta.resolve('./guard.sh')), folder], {
      detached: true, // so that Ctrl-C in the terminal does not reach it
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#process.stdin?.on('error', () => {}); // it was ended by hand: nothing to guard with
    this.#process.unref();
  }

  /** Guards a process that leads a group of its own. */
  add(pid: number): void {
    this.#process.stdin?.write(`+${pid}\n`);
  }

  /** The process has ended. */
  remove(pid: number): void {
    this.#process.stdin?.write(`-${pid}\n`);
  }

  /**
   * There is nothing to guard any more. Resolves when the process has ended and the folder is gone:
   * later it would be that of the next stack of the same name.
   */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.ref();
    this.#process.stdin?.end();
    await ended;
  }
}
