import type { Figure } from '../kit/lesson.ts';

/** The largest number that a phone can guess. */
export const MAX_GUESS = 1_000_000;
const MAX_VOTERS = 500;
/** With more different numbers, each bar is a range. */
const MAX_BARS = 8;
/** Guesses outside these quantiles do not widen the range of the bars. */
const OUTLIERS = [0.1, 0.9] as const;
/** A guess is right if its difference from the observation is at most this share of the observation. */
const TOLERANCE = 0.1;

export interface Bar {
  label: string;
  votes: number;
  /** Whether the observed figure is in it. */
  isTrue: boolean;
}

/** The guesses of all phones for one question: one of each phone, which may change it. */
export class Votes {
  #guesses = new Map<string, Figure>();
  #choices: readonly string[] | undefined;

  /** @param choices without them, a guess is a number */
  constructor(choices?: readonly string[]) {
    this.#choices = choices;
  }

  get size(): number {
    return this.#guesses.size;
  }

  of(voter: string): Figure | undefined {
    return this.#guesses.get(voter);
  }

  /** Whether a guess is one of the choices, or a number from 0 to {@link MAX_GUESS}. */
  allows(guess: Figure): boolean {
    if (this.#choices) return this.#choices.includes(String(guess));
    return typeof guess === 'number' && guess >= 0 && guess <= MAX_GUESS;
  }

  /** Returns whether there is room for another voter. */
  set(voter: string, guess: Figure): boolean {
    if (!this.#guesses.has(voter) && this.#guesses.size >= MAX_VOTERS) return false;
    this.#guesses.set(voter, guess);
    return true;
  }

  countRight(observed: Figure): number {
    return [...this.#guesses.values()].filter((guess) => isRight(guess, observed)).length;
  }

  /** One bar for each choice, each number or each range of numbers. */
  bars(observed?: Figure): Bar[] {
    const guesses = [...this.#guesses.values()];
    if (this.#choices) {
      return this.#choices.map((label) => ({
        label,
        votes: guesses.filter((guess) => guess === label).length,
        isTrue: label === String(observed),
      }));
    }
    const truth = observed === undefined ? NaN : Number(observed);
    const numbers = guesses.map(Number).sort((a, b) => a - b);
    return rangesOf(Number.isNaN(truth) ? numbers : [...numbers, truth].sort((a, b) => a - b)).map(
      ({ label, from, to }) => ({
        label,
        votes: numbers.filter((number) => number >= from && number < to).length,
        isTrue: truth >= from && truth < to,
      }),
    );
  }
}

/** Numbers may differ from the observation by 10 %; a choice has to be the observation. */
export function isRight(guess: Figure, observed: Figure): boolean {
  if (typeof guess !== 'number') return guess === String(observed);
  return Math.abs(guess - Number(observed)) <= TOLERANCE * Math.abs(Number(observed));
}

/** Ranges that contain all numbers; the first and the last one contain the outliers too. */
function rangesOf(sorted: number[]): { label: string; from: number; to: number }[] {
  const values = [...new Set(sorted)];
  if (values.length <= MAX_BARS) {
    return values.map((from, i) => ({ label: text(from), from, to: values[i + 1] ?? Infinity }));
  }
  const [low = 0, high = 0] = OUTLIERS.map((share) => sorted[Math.floor(share * sorted.length)]);
  const step = roundStep((high - low) / (MAX_BARS - 2));
  const first = Math.floor(low / step) * step;
  const count = Math.floor((high - first) / step) + 1;
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [first + i * step, first + (i + 1) * step];
    if (i === count - 1) return { label: `${text(from)} or more`, from, to: Infinity };
    if (i === 0 && values.some((value) => value < from)) {
      return { label: `below ${text(to)}`, from: -Infinity, to };
    }
    return { label: `${text(from)} – ${text(to)}`, from, to };
  });
}

/** The next larger one of 1, 2, 5, 10, 20 and so on. */
function roundStep(step: number): number {
  if (step <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((factor) => factor * power >= step) ?? 10);
}

function text(number: number): string {
  return number.toLocaleString('en');
}
