interface Flight<T> {
  result: Promise<T>;
  waiters: number;
  controller: AbortController;
}

/** Does the same work once for all who ask for it at the same time. */
export class SingleFlight<T> {
  #flights = new Map<string, Flight<T>>();

  /**
   * Joins the work of a name, or starts it. The work is aborted when its last waiter leaves.
   *
   * @param signal of this waiter; rejects with its reason if it aborts
   * @returns the result, and whether another waiter had started the work
   */
  async join(
    name: string,
    signal: AbortSignal,
    start: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ result: T; joined: boolean }> {
    signal.throwIfAborted();
    const running = this.#flights.get(name);
    const flight = running ?? this.#start(name, start);
    flight.waiters += 1;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => {
      flight.waiters -= 1;
      if (flight.waiters === 0) {
        this.#end(name, flight);
        flight.controller.abort(signal.reason);
      }
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave);
    try {
      return { result: await Promise.race([flight.result, left]), joined: flight === running };
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** Tells whether the work of a name is in progress. */
  has(name: string): boolean {
    return this.#flights.has(name);
  }

  /** Lets later calls start again instead of joining; without a name, for all names. */
  forget(name?: string): void {
    if (name === undefined) this.#flights.clear();
    else this.#flights.delete(name);
  }

  #start(name: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight = { result: start(controller.signal), waiters: 0, controller };
    this.#flights.set(name, flight);
    flight.result.catch(() => {}).finally(() => this.#end(name, flight));
    return flight;
  }

  #end(name: string, flight: Flight<T>): void {
    if (this.#flights.get(name) === flight) this.#flights.delete(name);
  }
}
