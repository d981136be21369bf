import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../tools/lib/root.ts';
import { Running } from '../../tools/lib/running.ts';
import { readLock } from '../../tools/setup/packages.mjs';

/** What is copied: all that a stack and the preparation want. */
const PARTS = ['services', 'nginx', 'loadtest', 'tools/setup', '*.json', '*.yml', '.*ignore'];

/** A copy of the project as it is now, for tests that change or remove something. */
export class Checkout implements Disposable {
  /** Holds the copy, and is the folder for temporary files of what runs in it. */
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'shared-state-checkout-')));
  readonly root = join(this.folder, 'shared-state');

  constructor() {
    const copy = `git ls-files -z --cached --others --exclude-standard -- "$@" |
      tar --null -T - -cf - | tar -xf - -C "$0"`;
    execFileSync('mkdir', [this.root]);
    execFileSync('bash', ['-e', '-o', 'pipefail', '-c', copy, this.root, ...PARTS], { cwd: ROOT });
  }

  /** Makes the copy a repository with all of it in one commit. */
  commit(): void {
    this.#git('init', '--quiet');
    this.#git('add', '.');
    const author = ['-c', 'user.name=test', '-c', 'user.email=test@localhost'];
    this.#git(...author, 'commit', '--quiet', '--message', 'all');
  }

  /** Leaves only what a stack runs on, and the pinned Node: a quarter of the packages, installed as all are. */
  dropTools(): void {
    const change = (file: string, how: (content: Record<string, unknown>) => object) => {
      const path = join(this.root, file);
      writeFileSync(path, JSON.stringify(how(JSON.parse(readFileSync(path, 'utf8')))));
    };
    const kept = Object.entries(readLock(this.root).packages).filter(([, { dev }]) => !dev);
    const packages = Object.fromEntries(kept);
    Object.assign(packages[''] ?? {}, { devDependencies: {} });
    change('package.json', (manifest) => ({ ...manifest, devDependencies: {} }));
    change('package-lock.json', (lock) => ({ ...lock, packages }));
  }

  /** Gives it the packages of this checkout. */
  linkPackages(): void {
    symlinkSync(join(ROOT, 'node_modules'), join(this.root, 'node_modules'));
  }

  /** Runs a program of tools/setup as npm would. */
  run(program: string, words: string[] = [], env: NodeJS.ProcessEnv = {}): Running {
    const file = join(this.root, 'tools/setup', program);
    return this.start(process.execPath, [file, ...words], env);
  }

  /** Runs anything there. What it writes for a time is in a folder that is removed with the copy. */
  start(file: string, args: string[], env: NodeJS.ProcessEnv = {}): Running {
    const own = { TMPDIR: this.folder, NODE_COMPILE_CACHE: join(this.folder, 'compiled') };
    return new Running(file, args, { ...own, ...env }, this.root);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #git(...words: string[]): void {
    execFileSync('git', words, { cwd: this.root });
  }
}
