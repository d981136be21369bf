import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../tools/lib/errors.ts';
import { ROOT } from '../../tools/lib/root.ts';
import type { Lesson } from './lesson.ts';

const WORKSHOP = join(ROOT, 'workshop');

/** A lesson on the shelf. */
export interface Entry {
  /** `lost-updates` of the folder 03-lost-updates. */
  name: string;
  number: string;
  /** Its folder, as seen from that of the project. */
  folder: string;
  /** The question that its text begins with. */
  question: string;
}

/** All lessons, in their order. */
export function course(): Entry[] {
  return readdirSync(WORKSHOP)
    .filter((folder) => existsSync(join(WORKSHOP, folder, 'README.md')) && /^\d\d-/.test(folder))
    .sort()
    .map((folder) => ({
      number: folder.slice(0, 2),
      name: folder.slice(3),
      folder: `workshop/${folder}`,
      question: questionOf(readFileSync(join(WORKSHOP, folder, 'README.md'), 'utf8')),
    }));
}

/**
 * The lesson of a name, a number or a folder.
 *
 * @throws {UsageError} where there is none
 */
export function find(word: string): Entry {
  const entries = course();
  const is = ({ name, number, folder }: Entry) =>
    word === name || word.padStart(2, '0') === number || `workshop/${word}` === folder;
  const found = entries.find(is);
  if (found) return found;
  const names = entries.map(({ name }) => name).join(', ');
  throw new UsageError(`there is no lesson "${word}", only ${names}`);
}

/** Loads what a lesson does. */
export async function load({ folder }: Entry): Promise<Lesson> {
  const module = await import(join(ROOT, folder, 'lesson.ts'));
  return module.default;
}

/** The first line below the heading "Question". */
function questionOf(text: string): string {
  return /^## Question\n+(.+)$/m.exec(text)?.[1] ?? '';
}
