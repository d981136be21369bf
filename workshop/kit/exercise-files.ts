import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '../../tools/lib/root.mjs';
import type { Entry } from './catalog.ts';
import { workshopFolder } from './progress.ts';

/** The program of the participant for an exercise. */
export function programOf(name: string): string {
  return join(workshopFolder(), `${name}.ts`);
}

/** The path of a file for the participant. */
export function shown(file: string): string {
  return relative(process.cwd(), file);
}

/**
 * Copies the program to start with. An earlier one of the participant stays beside it.
 *
 * @returns what happened, as a sentence
 */
export function startAgain({ name, folder }: Entry): string {
  const file = programOf(name);
  const old = join(workshopFolder(), `${name}.old.ts`);
  const hadProgram = existsSync(file);
  mkdirSync(workshopFolder(), { recursive: true });
  if (hadProgram) renameSync(file, old);
  copyFileSync(join(ROOT, folder, 'start.ts'), file);
  const copied = `${shown(file)} is the program to start with.`;
  return hadProgram ? `${copied} Yours is now ${shown(old)}.` : copied;
}

/** How the solution differs from the program of the participant: the lines of `diff -u`. */
export function solutionDiff({ name, folder }: Entry): string[] {
  const own = programOf(name);
  const mine = existsSync(own) ? own : join(ROOT, folder, 'start.ts');
  const solution = join(ROOT, folder, 'solution.ts');
  const { status, stdout, error } = spawnSync('diff', ['-u', mine, solution], { encoding: 'utf8' });
  if (error) throw error;
  if (status === 0) return ['Your program is the solution.'];
  const lines = stdout.trimEnd().split('\n').slice(2); // without the dates of the files
  return [`--- ${shown(mine)}`, `+++ ${shown(solution)}`, ...lines];
}
