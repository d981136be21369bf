import { describe, expect, it } from 'vitest';
import { scenarios } from '../faults/scenarios.ts';

/** The long form is `npm run faults`. */
const inShort = scenarios.filter(({ isLong }) => !isLong);

describe('faults under load, in short', () => {
  it.each(inShort.map((scenario) => [scenario.name, scenario.should, scenario] as const))(
    '%s: should %s',
    async (_name, _should, scenario) => {
      const { breaches } = await scenario.run({ seed: 1, short: true });
      expect(breaches).toEqual([]);
    },
  );
});
