import { median } from '../figures.ts';

/** One thing that was measured. */
export interface Figure {
  name: string;
  /** The median of the samples. */
  value: number;
  unit: string;
  /** What is wanted of the value. */
  target?: { atMost?: number; atLeast?: number };
  /** How it was measured, where that matters. */
  note?: string;
  samples: number[];
}

/** Makes a figure of its samples. */
export function figure(
  name: string,
  unit: string,
  samples: number[],
  more: Pick<Figure, 'target' | 'note'> = {},
): Figure {
  return { name, value: median(samples), unit, ...more, samples };
}

/** Tells whether a figure is as wanted; `undefined` where nothing is wanted of it. */
export function isMet({ value, target }: Figure): boolean | undefined {
  if (!target) return undefined;
  const { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = target;
  return value <= atMost && value >= atLeast;
}
