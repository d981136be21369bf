import type { Environment } from './environment.ts';

/** An observed value: a number or a short text. */
export type Figure = number | string;

/** The expectation for a figure, stated before the run. */
export interface Prediction {
  /** For example `at least 20`. */
  text: string;
  holds: (observed: Figure) => boolean;
  /** What it means for users if the prediction holds. */
  meaning: 'good' | 'harm' | 'neutral';
}

export type WayName = 'wrong' | 'right';

/** A question about one figure. The user answers it before the run. */
interface AskAbout<Of extends WayName, Name extends string> {
  way: Of;
  figure: Name;
  /** Understandable alone, and without the answer. */
  question: string;
  /** The answers to choose from. Without them, the answer is a number. */
  choices?: string[];
}

export type Ask<Wrong extends string = string, Right extends string = string> =
  | AskAbout<'wrong', Wrong>
  | AskAbout<'right', Right>;

/** One way to build it, and its consequences. */
interface Way<Name extends string = string> {
  summary: string;
  /** By the name of the figure, which includes the unit. */
  predicted: Record<Name, Prediction>;
  observe: (environment: Environment) => Promise<Record<Name, Figure>>;
}

/** A claim about a wrong way and a right way. A run of both can refute it. */
export interface Lesson<Wrong extends string = string, Right extends string = string> {
  /** One to three sentences. */
  claim: string;
  /** The step of the tour of the page that shows the same. */
  scene?: number;
  asks: Ask<NoInfer<Wrong>, NoInfer<Right>>[];
  wrong: Way<Wrong>;
  right: Way<Right>;
  /** Sums up the observations in one sentence. */
  verdict: (wrong: Record<Wrong, Figure>, right: Record<Right, Figure>) => string;
}

/** Type-checks that a lesson uses the same figure names everywhere. */
export function lesson<Wrong extends string, Right extends string>(
  definition: Lesson<Wrong, Right>,
): Lesson {
  return definition as unknown as Lesson;
}

export function exactly(figure: Figure): Prediction {
  return { text: String(figure), holds: (observed) => observed === figure, meaning: 'good' };
}

export function atLeast(least: number): Prediction {
  return {
    text: `at least ${least}`,
    holds: (observed) => Number(observed) >= least,
    meaning: 'good',
  };
}

export function atMost(most: number): Prediction {
  return {
    text: `at most ${most}`,
    holds: (observed) => Number(observed) <= most,
    meaning: 'good',
  };
}

/** A figure that shows damage if the prediction holds. */
export function harm(prediction: Prediction): Prediction {
  return { ...prediction, meaning: 'harm' };
}

/** A figure that is neither good nor bad. */
export function neutral(prediction: Prediction): Prediction {
  return { ...prediction, meaning: 'neutral' };
}
