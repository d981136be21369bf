import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../lib/errors.mjs';
import type { Watchdog } from './watchdog.ts';

/** A line of `ps`. */
export interface ProcessStatus {
  name: string;
  pid: number | null;
  port: number;
  /** `stopped`: ended by `stop()`. `dead`: ended by itself or by `kill()`. */
  state: 'starting' | 'ready' | 'paused' | 'stopping' | 'stopped' | 'dead';
}

/** What the processes of a stack share. */
export interface StackContext {
  /** The folder for every file of the stack. */
  folder: string;
  watchdog: Watchdog;
  /** Shows the user one line. */
  report: (line: string) => void;
  /** Set once the stack closes: from then on no process starts. */
  isClosing?: boolean;
}

/** Seconds for a process to become ready. */
const START_SECONDS = 15;
/** Milliseconds for a process to end in order. */
export const STOP_MS = 10_000;
const POLL_MS = 25;
/** Milliseconds to wait for the last lines of a process that has ended. */
const LAST_LINES_MS = 500;

/**
 * A process of the stack, which leads a process group of its own. Events: `line` for each line of
 * output, `end` with the exit code or the signal.
 */
export abstract class ManagedProcess extends EventEmitter {
  readonly name: string;
  readonly folder: string;
  port: number;
  protected readonly file: string;
  /** The file in the stack's folder for standard output; the log of the process by default. */
  protected readonly stdout?: string;
  #context: StackContext;
  #state: ProcessStatus['state'] = 'stopped';
  #child: ChildProcess | undefined;
  /** The lines until the process is ready. */
  #output: string[] = [];
  #exit = '';

  /** @param file the executable */
  constructor(name: string, file: string, port: number, context: StackContext) {
    super();
    this.name = name;
    this.file = file;
    this.port = port;
    this.folder = context.folder;
    this.#context = context;
  }

  /** The arguments of the executable. */
  protected abstract args(): string[];

  /** Tells whether the process serves. */
  protected abstract isServing(): Promise<boolean>;

  protected env(): NodeJS.ProcessEnv {
    return process.env;
  }

  /** Picks the reason out of the output of a process that did not start. */
  protected failureReason(output: string[]): string | undefined {
    return output.at(-1);
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  async status(): Promise<ProcessStatus> {
    await this.#checkReady();
    const pid = this.#child?.pid ?? null;
    return { name: this.name, pid, port: this.port, state: this.#state };
  }

  /**
   * Starts the process. Resolves when it is ready.
   *
   * @throws {StackError} if it is running, ends, or is not ready in time
   */
  async start(): Promise<void> {
    const { name } = this;
    if (this.#child) throw new StackError(`${name} is already running.`);
    if (this.#context.isClosing) throw new StackError(`${name}: the stack is closing.`);
    const child = this.#spawn();
    const closed = once(child, 'close').catch(() => {});
    const deadline = Date.now() + START_SECONDS * 1000;
    while (!(await this.#checkReady()) && this.#child === child) {
      if (Date.now() > deadline) {
        throw new StackError(`${name} is not ready after ${START_SECONDS} s.`);
      }
      await delay(POLL_MS);
    }
    if (this.#child === child) return;
    await Promise.race([closed, delay(LAST_LINES_MS)]);
    const reason = this.failureReason(this.#output) ?? `${this.#exit}, without an error message`;
    throw new StackError(`${name} did not start: ${reason}`);
  }

  /** Asks the process to end; kills it if it does not. */
  async stop(): Promise<void> {
    const child = this.#running();
    this.#state = 'stopping';
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    signalGroup(child, 'SIGCONT'); // a paused process would not handle SIGTERM
    const timer = setTimeout(() => {
      this.#context.report(`${this.name} did not end within ${STOP_MS / 1000} s and was killed`);
      signalGroup(child, 'SIGKILL');
    }, STOP_MS);
    await exited;
    clearTimeout(timer);
  }

  async restart(): Promise<void> {
    if (this.isRunning) await this.stop();
    await this.start();
  }

  /** Ends the process at once, like a crash (SIGKILL). */
  async kill(): Promise<void> {
    const child = this.#running();
    signalGroup(child, 'SIGKILL');
    await once(child, 'exit');
  }

  /** Freezes the process, like a hang (SIGSTOP). */
  pause(): void {
    signalGroup(this.#running(), 'SIGSTOP');
    this.#state = 'paused';
  }

  /** Continues a paused process (SIGCONT). */
  resume(): void {
    if (this.#state !== 'paused') throw new StackError(`${this.name} is not paused.`);
    signalGroup(this.#running(), 'SIGCONT');
    this.#state = 'ready';
  }

  /** Sends a signal to the process but not to its children. */
  protected signal(signal: NodeJS.Signals): void {
    this.#running().kill(signal);
  }

  #running(): ChildProcess {
    if (this.#child) return this.#child;
    throw new StackError(`${this.name} is not running; start it with \`start ${this.name}\`.`);
  }

  async #checkReady(): Promise<boolean> {
    const isReady = this.#state === 'starting' && (await this.isServing());
    if (isReady && this.#child) this.#state = 'ready';
    return this.#state !== 'starting' && this.#child !== undefined;
  }

  #spawn(): ChildProcess {
    const stdout = this.stdout ? openSync(join(this.folder, this.stdout), 'a', 0o600) : 'pipe';
    const child = spawn(this.file, this.args(), {
      env: this.env(),
      cwd: this.folder,
      detached: true, // Ctrl-C must reach only the launcher, which ends all processes in order
      stdio: ['ignore', stdout, 'pipe'],
    });
    if (stdout !== 'pipe') closeSync(stdout);
    // Stays open: the last line may come after the stack has removed its folder.
    const log = openSync(join(this.folder, `${this.name}.log`), 'a', 0o600);
    child.once('close', () => closeSync(log));
    this.#child = child;
    this.#state = 'starting';
    this.#output = [];
    if (child.pid) this.#context.watchdog.add(child.pid);
    for (const input of [child.stdout, child.stderr].filter((stream) => stream !== null)) {
      createInterface({ input }).on('line', (line) => {
        appendLine(log, line);
        if (this.#state !== 'ready') this.#output.push(line);
        this.emit('line', line);
      });
    }
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${code}`));
    child.once('error', (err) => this.#ended(child, err.message));
    return child;
  }

  #ended(child: ChildProcess, reason: string): void {
    signalGroup(child, 'SIGKILL'); // the children that it has left behind
    if (child.pid) this.#context.watchdog.remove(child.pid);
    const before = this.#state;
    this.#state = before === 'stopping' ? 'stopped' : 'dead';
    this.#child = undefined;
    this.#exit = reason;
    this.emit('end', reason);
    if (before === 'ready' || before === 'paused') {
      this.#context.report(`${this.name} is dead (${reason})`);
    }
  }
}

/** Drops the line if the disk is full: a log must not end the stack. */
function appendLine(log: number, line: string): void {
  try {
    writeSync(log, `${line}\n`);
  } catch {
    // the next line may find space again
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid) process.kill(-pid, signal);
  } catch {
    // every process of the group has ended
  }
}
