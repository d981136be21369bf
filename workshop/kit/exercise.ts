import type { Deployment, DeploymentOptions } from './environment.ts';

/** A task for a participant: a small program with a fault, and the steps that show it. */
export interface Exercise {
  /** The lesson that shows the same fault. */
  lesson: string;
  /** How the stack differs from three instances with the usual settings. */
  stack?: Omit<DeploymentOptions, 'program'>;
  /** In order. The check ends at the first step that fails. */
  steps: Step[];
  /** One sentence to remember, shown when all steps pass. */
  rule: string;
}

/** One requirement of an exercise. */
interface Step {
  /** The requirement, as a sentence. */
  title: string;
  /**
   * Sends requests to the program of the participant, and injects faults.
   *
   * @returns the observed figure, for example `200 of 200`
   * @throws {Error} if the program does not meet the requirement; the message says what was observed
   * and what causes it
   */
  run: (deployment: Deployment) => Promise<string>;
}

/**
 * Requires a condition in a step.
 *
 * @param message what was observed and what causes it, for the participant
 * @throws {Error} with the message if the condition is false
 */
export function must(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
