import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT } from '../../tools/lib/root.mjs';

const Guess = z.object({
  question: z.string(),
  guess: z.union([z.number(), z.string()]),
  observed: z.union([z.number(), z.string()]),
  /** The claim of the lesson, for example `at least 20`. */
  claimed: z.string(),
});
const Exercise = z.object({
  /** ISO 8601. */
  passedAt: z.string(),
  /** By requirement. */
  figures: z.record(z.string(), z.string()),
});
const Progress = z.object({
  /** By name of the exercise. */
  exercises: z.record(z.string(), Exercise),
  /** By name of the lesson; the guesses of its last run. */
  predictions: z.record(z.string(), z.object({ at: z.string(), guesses: z.array(Guess) })),
});

/** The answer to a question, and the truth. */
export type Guess = z.infer<typeof Guess>;
type Exercise = z.infer<typeof Exercise>;
type Progress = z.infer<typeof Progress>;

/** The folder of the user: solutions and progress. The variable WORKSHOP_FOLDER changes it. */
export function workshopFolder(): string {
  return process.env.WORKSHOP_FOLDER || join(ROOT, 'workshop/my-solutions');
}

/** The progress of the user; empty if there is none. A file with errors is kept as `.broken`. */
export function readProgress(): Progress {
  const file = progressFile();
  try {
    return Progress.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (err) {
    if (err instanceof SyntaxError || err instanceof z.ZodError) renameSync(file, `${file}.broken`);
    else if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
    return { exercises: {}, predictions: {} };
  }
}

/** Stores the guesses for a lesson, instead of earlier ones. */
export function recordPrediction(lesson: string, guesses: Guess[]): void {
  const progress = readProgress();
  progress.predictions[lesson] = { at: new Date().toISOString(), guesses };
  write(progress);
}

/** Stores that an exercise was passed, instead of an earlier success. */
export function recordExercise(name: string, exercise: Exercise): void {
  const progress = readProgress();
  progress.exercises[name] = exercise;
  write(progress);
}

function progressFile(): string {
  return join(workshopFolder(), 'progress.json');
}

/** Replaces the file in one step, so that a crash leaves the old one or the new one. */
function write(progress: Progress): void {
  mkdirSync(workshopFolder(), { recursive: true });
  const temporary = `${progressFile()}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(progress, null, 2)}\n`);
  renameSync(temporary, progressFile());
}
