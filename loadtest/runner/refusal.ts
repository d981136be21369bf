/** Exit codes of k6. */
export const EXIT = { thresholds: 99, configuration: 104, signal: 105, exception: 107 } as const;

/** The run cannot be made as it was asked for. */
export class Refusal extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.configuration) {
    super(message);
    this.exitCode = exitCode;
  }
}
