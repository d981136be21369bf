import type { Lab } from './lab.ts';

/** What was observed: a number, or a few words. */
export type Figure = number | string;

/** What a text claims of a figure, before anybody has looked. */
export interface Prediction {
  /** For people: `at least 20`. */
  text: string;
  holds: (observed: Figure) => boolean;
}

/** A way of doing it, and what it leads to. */
export interface Way<Name extends string = string> {
  /** What is done, in a few words. */
  what: string;
  /** By the name of a figure; the name tells its unit. */
  predicted: Record<Name, Prediction>;
  /** Does it. Resolves to what was seen. */
  observe: (lab: Lab) => Promise<Record<Name, Figure>>;
}

/** A claim about a wrong way and a right one, which running both can refute. */
export interface Lesson<Wrong extends string = string, Right extends string = string> {
  /** What the text claims, in one sentence. */
  claim: string;
  wrong: Way<Wrong>;
  right: Way<Right>;
  /** Says in one sentence what was seen. */
  verdict: (wrong: Record<Wrong, Figure>, right: Record<Right, Figure>) => string;
}

/** Checks a lesson: the names of its figures are the same wherever it uses them. */
export function lesson<Wrong extends string, Right extends string>(
  it: Lesson<Wrong, Right>,
): Lesson {
  return it as unknown as Lesson;
}

export function exactly(figure: Figure): Prediction {
  return { text: String(figure), holds: (observed) => observed === figure };
}

export function atLeast(least: number, unit = ''): Prediction {
  return { text: `at least ${least}${unit}`, holds: (observed) => Number(observed) >= least };
}

export function atMost(most: number, unit = ''): Prediction {
  return { text: `at most ${most}${unit}`, holds: (observed) => Number(observed) <= most };
}
