import { describe, expect, it } from 'vitest';
import { hang } from '../../tools/faults/scenarios/instances.ts';
import { nginxReload } from '../../tools/faults/scenarios/nginx.ts';
import { scenarios } from '../../tools/faults/scenarios.ts';

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

  it('should notice what is counted twice: IDEMPOTENCY=off, and an instance that hangs', async () => {
    const options = { seed: 1, short: true, env: { IDEMPOTENCY: 'off' } };
    const { doubled, breaches } = await hang.run(options);
    expect(doubled).toBeGreaterThan(0);
    expect(breaches).toContain(`${doubled} doubled`);
  });

  it('should notice what is lost: COUNTER=session, and several clients on one session', async () => {
    const options = { seed: 1, short: true, env: { COUNTER: 'session' } };
    const { doubled, breaches } = await nginxReload.run(options);
    expect(doubled).toBeGreaterThan(0); // the same number given twice is a view lost
    expect(breaches).toContain(`${doubled} doubled`);
  });
});
