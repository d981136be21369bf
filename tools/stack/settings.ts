import { quoted, UsageError } from '../lib/errors.mjs';

/** Every process of a stack has its own name and address; they share one Redis. */
const FIXED = ['INSTANCE', 'HOST', 'PORT', 'REDIS_URL', 'REDIS_PASSWORD'];

/**
 * Reads environment variables of the app from words such as `SESSION_STORE=memory`. An empty value
 * stands for the default.
 *
 * @param command names the command in messages
 * @throws {UsageError} if a word is something else, or the app does not read the variable
 */
export async function settingsOf(
  command: string,
  words: string[],
): Promise<Record<string, string>> {
  const { variables } = await import('../../services/app/config.ts'); // a start needs no zod
  const settings = words.map((word) => {
    const [, name = '', value] = /^([A-Z_]+)=(.*)$/s.exec(word) ?? [];
    if (value === undefined) {
      throw new UsageError(
        `\`${command}\` expects a setting, for example \`SESSION_STORE=memory\`.`,
      );
    }
    if (name in variables.shape && !FIXED.includes(name)) return [name, value];
    throw new UsageError(`\`${command}\` cannot change ${quoted(name)}; see docs/reference.md.`);
  });
  return Object.fromEntries(settings);
}
