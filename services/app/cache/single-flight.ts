interface Flight<T> {
  landed: Promise<T>;
  passengers: number;
  controller: AbortController;
}

/** Work of which each is done once for all who want it at the same time, and ended when nobody does any more. */
export class Flights<T> {
  #flights = new Map<string, Flight<T>>();

  /**
   * Takes part in the work of a name, or starts it.
   *
   * @param signal of one who takes part; rejects with its reason when it aborts
   * @returns the result, and whether somebody else had started it
   */
  async join(
    name: string,
    signal: AbortSignal,
    start: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ result: T; joined: boolean }> {
    signal.throwIfAborted();
    const under = this.#flights.get(name);
    const flight = under ?? this.#take(name, start);
    flight.passengers += 1;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => {
      flight.passengers -= 1;
      if (flight.passengers === 0) {
        this.#end(name, flight);
        flight.controller.abort(signal.reason);
      }
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave);
    try {
      return { result: await Promise.race([flight.landed, left]), joined: flight === under };
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** Tells whether the work of a name is under way. */
  has(name: string): boolean {
    return this.#flights.has(name);
  }

  /** Has those who come from now on start anew; without a name, for all names. */
  renew(name?: string): void {
    if (name === undefined) this.#flights.clear();
    else this.#flights.delete(name);
  }

  #take(name: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight = { landed: start(controller.signal), passengers: 0, controller };
    this.#flights.set(name, flight);
    flight.landed.catch(() => {}).finally(() => this.#end(name, flight));
    return flight;
  }

  #end(name: string, flight: Flight<T>): void {
    if (this.#flights.get(name) === flight) this.#flights.delete(name);
  }
}
