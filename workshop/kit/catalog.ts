import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../tools/lib/errors.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import type { Lesson } from './lesson.ts';

/** A lesson in the list of lessons. */
export interface Entry {
  /** `lost-updates` for the folder 04-lost-updates. */
  name: string;
  number: string;
  /** Relative to the project. */
  folder: string;
  /** The first line of the section "Question" of its README.md. */
  question: string;
}

/** All lessons, by number. */
export function catalog(): Entry[] {
  return readdirSync(join(ROOT, 'workshop'))
    .filter((folder) => /^\d\d-/.test(folder))
    .sort()
    .map((folder) => {
      const text = readFileSync(join(ROOT, 'workshop', folder, 'README.md'), 'utf8');
      const [, question = ''] = /^## Question\n+(.+)$/m.exec(text) ?? [];
      const [number, name] = [folder.slice(0, 2), folder.slice(3)];
      return { number, name, folder: `workshop/${folder}`, question };
    });
}

/**
 * The lesson with a name, a number or a folder.
 *
 * @throws {UsageError} if there is none
 */
export function find(word: string): Entry {
  const entries = catalog();
  const found = entries.find(
    ({ name, number, folder }) =>
      word === name || word.padStart(2, '0') === number || `workshop/${word}` === folder,
  );
  if (found) return found;
  const names = entries.map(({ name }) => name).join(', ');
  throw new UsageError(`There is no lesson "${word}". Choose one of: ${names}`);
}

export async function load({ folder }: Entry): Promise<Lesson> {
  return (await import(join(ROOT, folder, 'lesson.ts'))).default;
}
