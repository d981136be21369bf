import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../lib/errors.ts';
import type { Guard } from './guard.ts';

/** `dead`: ended without having been asked to, or killed. `stopped`: asked to end, and ended. */
export type State = 'starting' | 'ready' | 'paused' | 'stopping' | 'stopped' | 'dead';

/** What `ps` shows of a part. */
export interface Status {
  name: string;
  pid: number | null;
  port: number;
  state: State;
}

/** What all parts of a stack share. */
export interface Surroundings {
  /** The folder for everything that the stack writes. */
  folder: string;
  guard: Guard;
  /** Whether the stack is ending: nothing starts any more. */
  isEnding?: boolean;
  /** Tells whoever started the stack what happens, a line at a time. */
  report: (line: string) => void;
}

/** How to run a part. */
export interface Command {
  file: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Where its standard output goes, if not into its log. */
  output?: string;
}

/** Milliseconds within which a part must be ready, and must end once asked to. */
const START_MS = 15_000;
const STOP_MS = 10_000;
const POLL_MS = 25;
/** How many last lines tell why a part did not start. */
const LAST_LINES = 3;
/** Milliseconds for which they are waited for. */
const LAST_LINES_MS = 500;

/** One process of the stack. Events: `line` for each line that it writes, `end` when it has ended, with the reason. */
export abstract class Part extends EventEmitter {
  readonly name: string;
  port: number;
  #around: Surroundings;
  #state: State = 'stopped';
  #child: ChildProcess | undefined;
  #lastLines: string[] = [];

  constructor(name: string, port: number, around: Surroundings) {
    super();
    this.name = name;
    this.port = port;
    this.#around = around;
  }

  protected abstract command(): Command;

  /** Resolves to true when the part serves. */
  protected abstract isServing(): Promise<boolean>;

  get folder(): string {
    return this.#around.folder;
  }

  /** How the part is now. */
  async status(): Promise<Status> {
    await this.#noticeReady();
    const pid = this.#child?.pid ?? null;
    return { name: this.name, pid, port: this.port, state: this.#state };
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Starts the process. Resolves when it is ready. */
  async start(): Promise<void> {
    if (this.#child) throw new StackError(`${this.name} is running`);
    if (this.#around.isEnding)
      throw new StackError(`${this.name} is not started: the stack is ending`);
    const child = this.#spawn();
    const closed = once(child, 'close').catch(() => {});
    const until = Date.now() + START_MS;
    while (!(await this.#noticeReady())) {
      if (this.#child !== child) {
        await Promise.race([closed, delay(LAST_LINES_MS)]);
        const reason = this.#lastLines.join(' | ') || 'it gave no reason';
        throw new StackError(`${this.name} did not start: ${reason}`);
      }
      if (Date.now() > until) {
        throw new StackError(`${this.name} is not ready after ${START_MS / 1000} s`);
      }
      await delay(POLL_MS);
    }
  }

  async #noticeReady(): Promise<boolean> {
    if (this.#state === 'starting' && (await this.isServing()) && this.#child)
      this.#state = 'ready';
    return this.#state !== 'starting' && this.#child !== undefined;
  }

  /** Asks the process to end, and ends it by force when it does not. */
  async stop(): Promise<void> {
    const child = this.#running();
    this.#state = 'stopping';
    const ended = once(child, 'exit');
    this.signal('SIGTERM');
    this.#signalAll('SIGCONT'); // a paused process would not notice
    const timer = setTimeout(() => {
      this.#around.report(`${this.name} did not end within ${STOP_MS / 1000} s and was killed`);
      this.#signalAll('SIGKILL');
    }, STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  /** Ends the process at once, as a crash would (SIGKILL). */
  async kill(): Promise<void> {
    const ended = once(this.#running(), 'exit');
    this.#signalAll('SIGKILL');
    await ended;
  }

  /** Stops the process in its tracks, as a hang would (SIGSTOP). */
  pause(): void {
    this.#running();
    this.#signalAll('SIGSTOP');
    this.#state = 'paused';
  }

  /** Lets a paused process go on (SIGCONT). */
  resume(): void {
    if (this.#state !== 'paused') throw new StackError(`${this.name} is not paused`);
    this.#signalAll('SIGCONT');
    this.#state = 'ready';
  }

  /** Sends a signal to the process, but not to its children. */
  protected signal(signal: NodeJS.Signals): void {
    this.#running().kill(signal);
  }

  #signalAll(signal: NodeJS.Signals): void {
    const { pid } = this.#running();
    if (pid) process.kill(-pid, signal);
  }

  #running(): ChildProcess {
    if (!this.#child) throw new StackError(`${this.name} is not running`);
    return this.#child;
  }

  #spawn(): ChildProcess {
    const { folder, guard } = this.#around;
    const { file, args, env, output } = this.command();
    const stdout = output ? openSync(join(folder, output), 'a') : 'pipe';
    const child = spawn(file, args, {
      env,
      cwd: folder,
      detached: true, // a group of its own: Ctrl-C reaches the launcher alone, which ends all in order
      stdio: ['ignore', stdout, 'pipe'],
    });
    if (typeof stdout === 'number') closeSync(stdout);
    // Open to the last line, which may come when the stack has removed its folder already.
    const log = openSync(join(folder, `${this.name}.log`), 'a');
    child.once('close', () => closeSync(log));
    this.#child = child;
    this.#state = 'starting';
    this.#lastLines = [];
    if (child.pid) guard.add(child.pid);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#follow(line, log));
    }
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${code}`));
    child.once('error', (err) => this.#ended(child, err.message));
    return child;
  }

  #ended(child: ChildProcess, reason: string): void {
    if (child.pid) {
      endGroup(child.pid);
      this.#around.guard.remove(child.pid);
    }
    const before = this.#state;
    this.#state = before === 'stopping' ? 'stopped' : 'dead';
    this.#child = undefined;
    this.emit('end', reason);
    if (before === 'ready' || before === 'paused') {
      this.#around.report(`${this.name} is dead (${reason})`);
    }
  }

  #follow(line: string, log: number): void {
    writeSync(log, `${line}\n`);
    this.#lastLines = [...this.#lastLines.slice(1 - LAST_LINES), line];
    this.emit('line', line);
  }
}

/** Ends what a process has left behind in its group. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nothing is left
  }
}
