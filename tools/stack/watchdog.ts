import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A small process that ends the processes of a stack if the launcher dies. */
export class Watchdog {
  #process: ChildProcess;
  #folder: string;
  #isClosing = false;

  /**
   * @param folder is removed by `close()`
   * @param report shows the user that the watchdog has not started, or was killed
   */
  constructor(folder: string, report: (line: string) => void = () => {}) {
    this.#folder = folder;
    const name = 'watchdog.sh';
    const script = readFileSync(join(import.meta.dirname, name), 'utf8');
    const lines = script.replaceAll('\r', ''); // of a checkout on Windows
    this.#process = spawn('/bin/sh', ['-c', lines, name, folder], {
      detached: true, // Ctrl-C in the terminal must not reach it
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#process.stdin?.on('error', () => {}); // the user has killed the watchdog
    const reportEnd = (reason: unknown) => {
      if (this.#isClosing) return;
      report(
        `The watchdog is dead (${reason}). If this process is killed too, use \`npm run reset\`.`,
      );
    };
    this.#process.once('error', (err) => reportEnd(err.message));
    this.#process.once('exit', (code, signal) => reportEnd(signal ?? `exit code ${code}`));
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

  /** Decides whether the folder stays if the launcher dies. */
  keepFolder(isKept: boolean): void {
    this.#process.stdin?.write(isKept ? 'keep\n' : 'rm\n');
  }

  /** Ends the watchdog. Resolves after its end. */
  async close(options: { keepFolder?: boolean } = {}): Promise<void> {
    if (!options.keepFolder) rmSync(this.#folder, { recursive: true, force: true });
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#isClosing = true;
    const exited = once(this.#process, 'exit');
    this.#process.ref();
    this.#process.stdin?.end();
    await exited;
  }
}
