import { UsageError } from '../lib/errors.ts';

/** The name of a stack that was given none. */
const DEFAULT = 'default';

/**
 * Takes `--name NAME` or `--name=NAME` out of the words, wherever it stands.
 *
 * @throws {UsageError} where the name is missing or cannot be one
 */
export function takeName(words: string[]): { name: string; rest: string[] } {
  const at = words.findIndex((word) => word === '--name' || word.startsWith('--name='));
  if (at < 0) return { name: DEFAULT, rest: words };
  const joined = words[at]?.split('=')[1];
  const name = joined ?? words[at + 1] ?? '';
  if (!/^[a-z0-9][a-z0-9-]{0,19}$/.test(name)) {
    throw new UsageError(
      `--name ${JSON.stringify(name)}: a name has up to 20 small letters, digits and hyphens`,
    );
  }
  return { name, rest: words.toSpliced(at, joined === undefined ? 2 : 1) };
}
