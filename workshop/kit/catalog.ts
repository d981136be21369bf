import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../tools/lib/errors.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import type { Exercise } from './exercise.ts';
import type { Lesson } from './lesson.ts';

/** A lesson or an exercise in its list. */
export interface Entry {
  /** `lost-updates` for the folder 04-lost-updates. */
  name: string;
  number: string;
  /** Relative to the project. */
  folder: string;
  /** The first line of the section "Question" or "Task" of its README.md. */
  question: string;
}

/** All lessons, by number. */
export function catalog(): Entry[] {
  return entriesIn('workshop');
}

/** All exercises, by number. */
export function exercises(): Entry[] {
  return entriesIn('workshop/exercises');
}

/**
 * The lesson with a name, a number or a folder.
 *
 * @throws {UsageError} if there is none
 */
export function find(word: string): Entry {
  return findIn(catalog(), 'lesson', word);
}

/**
 * The exercise with a name, a number or a folder.
 *
 * @throws {UsageError} if there is none
 */
export function findExercise(word: string): Entry {
  return findIn(exercises(), 'exercise', word);
}

export async function load({ folder }: Entry): Promise<Lesson> {
  return (await import(join(ROOT, folder, 'lesson.ts'))).default;
}

export async function loadExercise({ folder }: Entry): Promise<Exercise> {
  return (await import(join(ROOT, folder, 'check.ts'))).default;
}

function entriesIn(parent: string): Entry[] {
  return readdirSync(join(ROOT, parent))
    .filter((folder) => /^\d\d-/.test(folder))
    .sort()
    .map((folder) => {
      const text = readFileSync(join(ROOT, parent, folder, 'README.md'), 'utf8');
      const [, line = ''] = /^## (?:Question|Task)\n+(.+)$/m.exec(text) ?? [];
      const [number, name] = [folder.slice(0, 2), folder.slice(3)];
      return { number, name, folder: `${parent}/${folder}`, question: line.replaceAll('**', '') };
    });
}

function findIn(entries: Entry[], kind: string, word: string): Entry {
  const found = entries.find(
    ({ name, number, folder }) =>
      word === name || word.padStart(2, '0') === number || folder.endsWith(`/${word}`),
  );
  if (found) return found;
  const names = entries.map(({ name }) => name).join(', ');
  throw new UsageError(`There is no ${kind} "${word}". Choose one of: ${names}`);
}
