import { setTimeout as delay } from 'node:timers/promises';
import { lengthOf, type Scenario } from './options.ts';
import type { VirtualUser } from './virtual-user.ts';

/** What an executor works with. */
export interface Field {
  users: VirtualUser[];
  /** Milliseconds since the scenario began. */
  elapsed(): number;
  /** True from when no more iterations are to be started. */
  isOver(): boolean;
  /** Runs one iteration; ends when it has ended or was interrupted. */
  iterate(user: VirtualUser): Promise<void>;
  /** Notes iterations for which no VU was free, or no time was left. */
  drop(count: number): void;
}

type Of<Name extends Scenario['executor']> = Extract<Scenario, { executor: Name }>;

/** Milliseconds between two looks at what is due. */
const TICK_MS = 1;

/** Runs the iterations of a scenario, and ends when the last has ended. */
export async function execute(scenario: Scenario, field: Field): Promise<void> {
  switch (scenario.executor) {
    case 'shared-iterations': {
      let left = scenario.iterations;
      await loop(field, () => left > 0 && left-- > 0);
      if (left > 0) field.drop(left);
      return;
    }
    case 'per-vu-iterations': {
      let left = scenario.iterations * field.users.length;
      await loop(field, (made) => made < scenario.iterations && left-- > 0);
      if (left > 0) field.drop(left);
      return;
    }
    case 'constant-vus':
      return loop(field, () => true);
    case 'ramping-vus':
      return ramp(scenario, field);
    case 'constant-arrival-rate': {
      const perMs = scenario.rate / scenario.timeUnit;
      return arrive(field, lengthOf(scenario), (ms) => Math.floor(ms * perMs + 1e-9) + 1);
    }
    case 'ramping-arrival-rate':
      return arrive(field, lengthOf(scenario), (ms) => Math.floor(arrivals(scenario, ms) + 1e-9));
  }
}

/** Every user makes one iteration after the other. */
async function loop(field: Field, more: (made: number) => boolean): Promise<void> {
  await Promise.all(
    field.users.map(async (user) => {
      for (let made = 0; !field.isOver() && more(made); made += 1) await field.iterate(user);
    }),
  );
}

/** As many users make iterations as the stages want at the time. */
async function ramp(scenario: Of<'ramping-vus'>, field: Field): Promise<void> {
  const underWay = new Map<VirtualUser, Promise<void>>();
  const surplusSince = new Map<VirtualUser, number>();
  const isWanted = (user: VirtualUser) =>
    !field.isOver() && field.users.indexOf(user) < wantedUsers(scenario, field.elapsed());
  const run = async (user: VirtualUser) => {
    while (isWanted(user)) await field.iterate(user);
  };
  while (!field.isOver()) {
    const now = field.elapsed();
    for (const user of field.users) {
      if (isWanted(user)) {
        surplusSince.delete(user);
        if (underWay.has(user)) continue;
        const running = run(user).then(() => {
          underWay.delete(user);
        });
        underWay.set(user, running);
      } else if (underWay.has(user)) {
        const since = surplusSince.get(user) ?? now;
        surplusSince.set(user, since);
        if (now - since >= scenario.gracefulRampDown) user.interrupt();
      }
    }
    await delay(10 * TICK_MS);
  }
  await Promise.all(underWay.values());
}

function wantedUsers(scenario: Of<'ramping-vus'>, ms: number): number {
  let [from, left] = [scenario.startVUs, ms];
  for (const { duration, target } of scenario.stages) {
    if (left < duration) return from + Math.trunc(((target - from) * left) / duration);
    [from, left] = [target, left - duration];
  }
  return 0;
}

/** Iterations begin when they are due, whether or not earlier ones have ended (open model). */
async function arrive(field: Field, length: number, dueBy: (ms: number) => number): Promise<void> {
  const idle = [...field.users];
  const underWay = new Set<Promise<void>>();
  let started = 0;
  for (let over = false; !over; ) {
    over = field.isOver();
    const now = Math.min(field.elapsed(), length - 1e-6);
    if (over && now < length - 1e-6) break; // ended early
    for (const due = dueBy(now); started < due; started += 1) {
      const user = idle.shift();
      if (!user) {
        field.drop(1);
        continue;
      }
      const iteration = field.iterate(user).then(() => {
        idle.push(user);
        underWay.delete(iteration);
      });
      underWay.add(iteration);
    }
    if (!over) await delay(TICK_MS);
  }
  await Promise.all(underWay);
}

/** How many iterations the stages have brought after so many milliseconds: the area under the rate. */
function arrivals(scenario: Of<'ramping-arrival-rate'>, ms: number): number {
  let [from, left, area] = [scenario.startRate, ms, 0];
  for (const { duration, target } of scenario.stages) {
    const part = Math.min(left, duration);
    const to = duration > 0 ? from + ((target - from) * part) / duration : target;
    area += ((from + to) / 2) * part;
    [from, left] = [target, left - part];
    if (left <= 0) break;
  }
  return area / scenario.timeUnit;
}
