/** A plausible mistake: one place of the code, changed. */
export interface Mutant {
  name: string;
  file: string;
  /** Occurs once in the file. */
  find: string;
  replace: string;
  /** The test file that notices the mistake. */
  test: string;
  /** Only the tests whose names match this pattern are run. */
  only?: string;
}

/**
 * Puts a mistake into the content of its file.
 *
 * @throws {Error} if the place does not occur once
 */
export function applyMutant({ name, file, find, replace }: Mutant, content: string): string {
  const [before, after, ...more] = content.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`mutant ${name}: ${JSON.stringify(find)} does not occur once in ${file}`);
  }
  return before + replace + after;
}
