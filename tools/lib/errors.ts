/** An operation that is impossible at the moment. The message is one line for the user. */
export class StackError extends Error {
  override name = 'StackError';
}

/** An invalid argument. */
export class UsageError extends StackError {
  override name = 'UsageError';
}

/** How a command ended. */
export interface CommandResult {
  text: string;
  /** 0: success. 1: impossible at the moment. 2: invalid arguments. */
  exitCode: 0 | 1 | 2;
}

/** The result of a command that failed: one line if the user can act on it, else a stack trace. */
export function failure(err: unknown): CommandResult {
  const { message, stack, code } = err as NodeJS.ErrnoException;
  const isUsage = err instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS');
  const isExpected = isUsage || err instanceof StackError;
  const text = isExpected ? message.replaceAll('\n', ' ') : (stack ?? message);
  return { text, exitCode: isUsage ? 2 : 1 };
}
