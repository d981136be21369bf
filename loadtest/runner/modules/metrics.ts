// The module `k6/metrics`.
import { type Declaration, record, tagsOf, vu } from './host.ts';

class Metric {
  readonly name: string;

  constructor(type: Declaration['type'], name: string, isTime = false) {
    if (!vu.inInit) throw new Error('metrics must be declared in the init context');
    if (!/^[A-Za-z_]\w{0,127}$/.test(name)) throw new Error(`${name}: invalid name of a metric`);
    vu.declared.push({ name, type, contains: isTime ? 'time' : 'default' });
    this.name = name;
  }

  add(value: number | boolean, tags?: object): boolean {
    const number = Number(value);
    if (Number.isNaN(number)) throw new TypeError(`${this.name}: ${value} is not a number`);
    record(this.name, number, tagsOf(tags));
    return true;
  }
}

export class Counter extends Metric {
  constructor(name: string, isTime?: boolean) {
    super('counter', name, isTime);
  }
}

export class Gauge extends Metric {
  constructor(name: string, isTime?: boolean) {
    super('gauge', name, isTime);
  }
}

export class Rate extends Metric {
  constructor(name: string, isTime?: boolean) {
    super('rate', name, isTime);
  }
}

export class Trend extends Metric {
  constructor(name: string, isTime?: boolean) {
    super('trend', name, isTime);
  }
}

export default { Counter, Gauge, Rate, Trend };
