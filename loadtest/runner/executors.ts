import { setTimeout as delay } from 'node:timers/promises';
import { lengthOf, type Scenario } from './options.ts';
import type { VirtualUser } from './virtual-user.ts';

/** What an executor works with. */
export interface Field {
  users: VirtualUser[];
  /** Milliseconds since the scenario began. */
  elapsed(): number;
  /** True when the scenario starts no further iteration. */
  isOver(): boolean;
  /** Runs one iteration. Resolves when it has ended or was interrupted. */
  iterate(user: VirtualUser): Promise<void>;
  /** Counts iterations for which there was no free VU, or no time left. */
  drop(count: number): void;
}

/** Milliseconds between two checks of what is due. */
const TICK_MS = 1;

/** Runs the iterations of a scenario. Resolves when the last one has ended. */
export async function execute(scenario: Scenario, field: Field): Promise<void> {
  switch (scenario.executor) {
    case 'shared-iterations': {
      let left = scenario.iterations;
      await loop(field, () => left-- > 0);
      return field.drop(Math.max(0, left));
    }
    case 'constant-vus':
      return loop(field, () => true);
    case 'ramping-vus':
      return ramp(field, (ms) => Math.trunc(rampAt(scenario.startVUs, scenario.stages, ms).level));
    case 'constant-arrival-rate': {
      const perMs = scenario.rate / 1000;
      return arrive(field, lengthOf(scenario), (ms) => Math.floor(ms * perMs + 1e-9) + 1);
    }
    case 'ramping-arrival-rate': {
      const { startRate, stages } = scenario;
      const dueBy = (ms: number) => Math.floor(rampAt(startRate, stages, ms).area / 1000 + 1e-9);
      return arrive(field, lengthOf(scenario), dueBy);
    }
  }
}

/** Each user makes one iteration after the other. */
async function loop(field: Field, more: () => boolean): Promise<void> {
  const run = async (user: VirtualUser) => {
    while (!field.isOver() && more()) await field.iterate(user);
  };
  await Promise.all(field.users.map(run));
}

/** As many users make iterations as are wanted at the time. */
async function ramp(field: Field, wantedAt: (ms: number) => number): Promise<void> {
  const run = async (user: VirtualUser, i: number) => {
    while (!field.isOver()) {
      await (i < wantedAt(field.elapsed()) ? field.iterate(user) : delay(10 * TICK_MS));
    }
  };
  await Promise.all(field.users.map(run));
}

/** Iterations start when they are due, whether or not earlier ones have ended (the open model). */
async function arrive(field: Field, length: number, dueBy: (ms: number) => number): Promise<void> {
  const idle = [...field.users];
  const inProgress = new Set<Promise<void>>();
  let started = 0;
  for (let isOver = false; !isOver; await delay(TICK_MS)) {
    isOver = field.isOver();
    if (isOver && field.elapsed() < length) break; // ended early
    for (const due = dueBy(Math.min(field.elapsed(), length - 1e-6)); started < due; started += 1) {
      const user = idle.shift();
      if (!user) {
        field.drop(1);
        continue;
      }
      const iteration = field.iterate(user).then(() => {
        idle.push(user);
        inProgress.delete(iteration);
      });
      inProgress.add(iteration);
    }
  }
  await Promise.all(inProgress);
}

/** The level of a ramp after so many milliseconds, and the area under it until then. */
function rampAt(start: number, stages: { duration: number; target: number }[], ms: number) {
  let [level, left, area] = [start, ms, 0];
  for (const { duration, target } of stages) {
    const part = Math.min(left, duration);
    const to = part < duration ? level + ((target - level) * part) / duration : target;
    area += ((level + to) / 2) * part;
    [level, left] = [to, left - part];
    if (part < duration) break;
  }
  return { level, area };
}
