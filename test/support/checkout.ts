import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';

/** The files that a stack, the lessons and tools/setup need. */
const PARTS = [
  ...['services', 'nginx', 'redis', 'loadtest', 'tools', 'workshop'],
  ...['*.json', '*.yml', '.*ignore'],
];

/** A copy of the project in its current state, for tests that change or remove files. */
export class Checkout implements Disposable {
  /** Holds the copy and the temporary files of its programs. */
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'shared-state-checkout-')));
  readonly root = join(this.folder, 'shared-state');

  constructor() {
    const copy = `git ls-files -z --cached --others --exclude-standard -- "$@" |
      tar --null -T - -cf - | tar -xf - -C "$0"`;
    execFileSync('mkdir', [this.root]);
    execFileSync('bash', ['-e', '-o', 'pipefail', '-c', copy, this.root, ...PARTS], { cwd: ROOT });
  }

  /** Makes the copy a git repository with one commit. */
  commit(): void {
    this.#git('init', '--quiet');
    this.#git('add', '.');
    const author = ['-c', 'user.name=test', '-c', 'user.email=test@localhost'];
    this.#git(...author, 'commit', '--quiet', '--message', 'all');
  }

  /** Uses the packages of this checkout. */
  linkPackages(): void {
    symlinkSync(join(ROOT, 'node_modules'), join(this.root, 'node_modules'));
  }

  /** Runs a program of tools/setup. */
  run(program: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): Running {
    const file = join(this.root, 'tools/setup', program);
    return this.start(process.execPath, [file, ...args], env);
  }

  /** Runs a program in the copy. Its temporary files are removed with the copy. */
  start(file: string, args: string[], env: NodeJS.ProcessEnv = {}): Running {
    const own = { TMPDIR: this.folder, NODE_COMPILE_CACHE: join(this.folder, 'compiled') };
    return new Running(file, args, { ...own, ...env }, this.root);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #git(...args: string[]): void {
    execFileSync('git', args, { cwd: this.root });
  }
}
