import { median } from '../../lib/statistics.ts';

/** A measured quantity. */
export interface Figure {
  name: string;
  /** The median of the samples. */
  value: number;
  unit: string;
  /** The wanted range of the value. */
  target?: { atMost?: number; atLeast?: number };
  /** The run fails if the target is missed. */
  isRequired?: boolean;
  /** The circumstances of the measurement. */
  note?: string;
  samples: number[];
}

export function figure(
  name: string,
  unit: string,
  samples: number[],
  more: Pick<Figure, 'target' | 'note'> = {},
): Figure {
  return { name, value: median(samples), unit, ...more, samples };
}

/** Tells whether a figure meets its target; `undefined` without a target. */
export function isMet({ value, target }: Figure): boolean | undefined {
  if (!target) return undefined;
  const { atMost = Infinity, atLeast = -Infinity } = target;
  return value <= atMost && value >= atLeast;
}
