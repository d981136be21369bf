/** Something that cannot be done now. The message is one clear line for whoever asked. */
export class StackError extends Error {
  override name = 'StackError';
}

/** A word or number that means nothing here: the fault of whoever asked. */
export class UsageError extends StackError {
  override name = 'UsageError';
}
