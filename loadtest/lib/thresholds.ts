import { INSTANCES } from './site.ts';

/** The share of planned work that must be done: k6 may start an iteration less than planned. */
const DONE = 0.95;
/** The share of its fair part that each instance must serve. */
const FAIR = 0.8;

/** Thresholds of every script. A check that failed will not hold later, so waiting is pointless. */
export const ALWAYS = {
  checks: [{ threshold: 'rate==1', abortOnFail: true }],
  http_req_failed: ['rate==0'],
};

/** For scenarios with arrivals: a VU was free for each, so the load was the one that was planned. */
export const NONE_DROPPED = {
  dropped_iterations: [{ threshold: 'count==0', abortOnFail: true }],
};

/** A threshold on a counter of what was proved, for a number of iterations that was given. */
export function exactly(planned: number): string[] {
  return [`count==${planned}`];
}

/** The same for arrivals and times, in proportion to the planned work. */
export function atLeast(planned: number): string[] {
  return [`count>=${Math.max(1, Math.floor(DONE * planned))}`];
}

/** Each instance served: its fair part of so many requests, if the proxy spreads them evenly. */
export function eachServes(requests = 0): Record<string, string[]> {
  const least = Math.max(1, Math.floor((FAIR * requests) / INSTANCES.length));
  return Object.fromEntries(
    INSTANCES.map((name) => [`served{instance:${name}}`, [`count>=${least}`]]),
  );
}

/** One part of a ramp; `seconds` long, it ends at `target` arrivals a second. */
export interface Step {
  seconds: number;
  target: number;
}

/** The stages of k6's ramping executors. */
export function stagesOf(steps: Step[]): { duration: string; target: number }[] {
  return steps.map(({ seconds, target }) => ({ duration: `${seconds}s`, target }));
}

/** Arrivals that a ramp plans: the area under its rate. */
export function areaOf(start: number, steps: Step[]): number {
  let [area, from] = [0, start];
  for (const { seconds, target } of steps) {
    area += (seconds * (from + target)) / 2;
    from = target;
  }
  return area;
}
