import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from './root.mjs';

/** The result of a process. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A process in a group of its own. At the end of its scope the whole group is killed. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcess;
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(
    file: string,
    args: string[],
    env: NodeJS.ProcessEnv = {},
    cwd = ROOT,
    stdin: 'ignore' | 'pipe' = 'ignore',
  ) {
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [stdin, 'pipe', 'pipe'],
      detached: true,
    });
    this.child = child;
    child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.ended = once(child, 'close').then(([code, signal]) => ({
      code,
      signal,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null && this.child.pid) {
      process.kill(-this.child.pid, 'SIGKILL');
    }
    await this.ended;
  }
}

/** Starts one instance without a stack. */
export function runInstance(env: NodeJS.ProcessEnv): Running {
  return new Running(process.execPath, [join(ROOT, 'services/app/main.ts')], {
    HOST: '127.0.0.1',
    ...env,
  });
}
