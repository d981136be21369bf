/** The longest step, in milliseconds: a few beats. */
const MAX_STEP_MS = 700;

/**
 * A clock that stands still while nothing can be heard, because Redis is away or this process stood
 * still itself. By it nobody is silent who only could not be heard.
 */
export class HearingClock {
  #time = 0;
  #heardAt = performance.now();

  /** Milliseconds. */
  get now(): number {
    return this.#time + this.#sinceHeard();
  }

  /** Redis has answered. */
  hear(): void {
    this.#time = this.now;
    this.#heardAt = performance.now();
  }

  #sinceHeard(): number {
    return Math.min(performance.now() - this.#heardAt, MAX_STEP_MS);
  }
}
