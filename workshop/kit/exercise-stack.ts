import { failure } from '../../tools/lib/errors.mjs';
import type { Exercise } from './exercise.ts';
import { NativeDeployment } from './native-deployment.ts';

/** Milliseconds for a step. */
const STEP_MS = 30_000;

/** The outcome of one step. */
export interface StepResult {
  title: string;
  /** The observed figure; `undefined` if the step failed. */
  figure?: string;
  /** What was observed and what causes it; `undefined` if the step passed. */
  fault?: string;
}

/** Runs the program of a participant on a stack, and checks it. */
export class ExerciseStack implements AsyncDisposable {
  #exercise: Exercise;
  #file: string;
  #name: string | undefined;
  #deployment: NativeDeployment | undefined;

  /**
   * @param file the program of the participant
   * @param name for `npm run stack -- --name`
   */
  constructor(exercise: Exercise, file: string, name?: string) {
    this.#exercise = exercise;
    this.#file = file;
    this.#name = name;
  }

  /** The address of nginx; `undefined` until the program has started once. */
  get url(): string | undefined {
    return this.#deployment?.url;
  }

  /**
   * Starts the program again, with an empty Redis, and runs the steps until one fails.
   *
   * @param onResult is called after each step
   * @returns whether all steps passed
   * @throws {StackError} if the program does not start
   */
  async check(onResult: (result: StepResult) => void): Promise<boolean> {
    await this.#restart();
    for (const { title, run } of this.#exercise.steps) {
      const result = await this.#run(run);
      onResult({ title, ...result });
      if (result.fault !== undefined) return false;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.#deployment?.close();
    this.#deployment = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #restart(): Promise<void> {
    if (this.#deployment) return this.#deployment.startAgain();
    const deployment = new NativeDeployment(
      { ...this.#exercise.stack, program: this.#file },
      this.#name,
    );
    await deployment.start();
    this.#deployment = deployment;
  }

  async #run(run: Exercise['steps'][number]['run']): Promise<Omit<StepResult, 'title'>> {
    const deployment = this.#deployment as NativeDeployment;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      const late = new Error(`The step took longer than ${STEP_MS / 1000} s.`);
      timer = setTimeout(reject, STEP_MS, late);
    });
    try {
      await deployment.startMissing();
      return { figure: await Promise.race([run(deployment), timeout]) };
    } catch (err) {
      const crashes = deployment.crashes();
      const fault = err instanceof Error ? err.message : failure(err).text;
      return { fault: [fault, ...crashes].join('\n') };
    } finally {
      clearTimeout(timer);
    }
  }
}
