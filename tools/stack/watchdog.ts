import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

/** A small process that ends the processes of a stack if the launcher dies. */
export class Watchdog {
  #process: ChildProcess;
  #folder: string;

  /** @param folder is removed at the end, however the launcher ends */
  constructor(folder: string) {
    this.#folder = folder;
    this.#process = spawn('sh', [join(import.meta.dirname, 'watchdog.sh'), folder], {
      detached: true, // Ctrl-C in the terminal must not reach it
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#process.stdin?.on('error', () => {}); // the user has killed the watchdog
    this.#process.unref();
  }

  /** Watches the process group that `pid` leads. */
  add(pid: number): void {
    this.#process.stdin?.write(`+${pid}\n`);
  }

  /** Forgets a process group that has ended. */
  remove(pid: number): void {
    this.#process.stdin?.write(`-${pid}\n`);
  }

  /**
   * Removes the folder and ends the watchdog. Resolves after its end: later it could remove the
   * folder of a new stack of the same name.
   */
  async close(): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.ref();
    this.#process.stdin?.end();
    await exited;
  }
}
