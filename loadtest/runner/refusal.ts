/** Exit codes of k6. */
export const EXIT = {
  thresholds: 99,
  setupTimeout: 100,
  teardownTimeout: 101,
  configuration: 104,
  signal: 105,
  exception: 107,
  aborted: 108,
} as const;

/** The run cannot be made, or not go on, as it was asked for. */
export class Refusal extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.configuration) {
    super(message);
    this.exitCode = exitCode;
  }
}
