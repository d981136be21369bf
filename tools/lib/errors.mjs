// @ts-check

/** An expected failure. Its message tells the user in one line what happened and what to do. */
export class StackError extends Error {
  /** @override */
  name = 'StackError';
}

/** A mistake in the command line. */
export class UsageError extends StackError {
  /** @override */
  name = 'UsageError';
}

/** The longest part of a value in a message. */
const MAX_SHOWN = 60;

/**
 * A value of the user for a message: in quotation marks, without control characters, and cut.
 *
 * @param {string} value
 */
export function quoted(value) {
  return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
}

/**
 * How a command ends: what it prints, and its exit code.
 * 0: success. 1: the command cannot be carried out now. 2: the command line is wrong.
 *
 * @typedef {{text: string, exitCode: 0 | 1 | 2}} CommandResult
 */

/**
 * The end of a command after an error: one line if the user can act on it, or else a stack trace.
 * An error of the system names the file and the reason: the disk is full, or it is not permitted.
 *
 * @param {unknown} err
 * @returns {CommandResult}
 */
export function failure(err) {
  const { message, code, stack, errno } = /** @type {NodeJS.ErrnoException} */ (err);
  const isUsage = err instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS');
  if (!isUsage && !(err instanceof StackError) && !errno)
    return { text: stack ?? message, exitCode: 1 };
  return { text: message.replaceAll('\n', ' '), exitCode: isUsage ? 2 : 1 };
}
