// The module `k6/metrics`.
import { type Declaration, record, vu } from './host.ts';

abstract class Metric {
  readonly #name: string;

  constructor(type: Declaration['type'], name: string, isTime = false) {
    vu.declared.push({ name, type, contains: isTime ? 'time' : 'default' });
    this.#name = name;
  }

  add(value: number | boolean, tags?: Record<string, string>): void {
    record(this.#name, Number(value), tags);
  }
}

export class Counter extends Metric {
  constructor(name: string) {
    super('counter', name);
  }
}

export class Rate extends Metric {
  constructor(name: string) {
    super('rate', name);
  }
}

export class Trend extends Metric {
  constructor(name: string, isTime?: boolean) {
    super('trend', name, isTime);
  }
}
