import { describe, expect, it } from 'vitest';
import { runScenario, type Scenario } from '../../tools/faults/environment.ts';
import { scenarios } from '../../tools/faults/scenarios.ts';

/** `npm run faults` runs the long ones too. */
const inShort = scenarios.filter(({ isLong }) => !isLong);
const OPTIONS = { seed: 1, short: true };

describe('faults under load (short form)', () => {
  it.each(inShort.map((scenario) => [scenario.name, scenario.should, scenario] as const))(
    '%s: should %s',
    async (_name, _should, scenario) => {
      const { breaches } = await runScenario(scenario, OPTIONS);
      expect(breaches).toEqual([]);
    },
  );

  it('should detect updates counted twice: IDEMPOTENCY=off, and an instance that hangs', async () => {
    const options = { ...OPTIONS, env: { IDEMPOTENCY: 'off' } };
    const { countedTwice, breaches } = await runScenario(named('hang'), options);
    expect(countedTwice).toBeGreaterThan(0);
    expect(breaches).toContain(`${countedTwice} counted twice`);
  });

  it('should detect lost updates: COUNTER=session, and several clients on one session', async () => {
    const options = { ...OPTIONS, env: { COUNTER: 'session' } };
    const { countedTwice, breaches } = await runScenario(named('nginx-reload'), options);
    expect(countedTwice).toBeGreaterThan(0); // a number that is returned twice means a lost view
    expect(breaches).toContain(`${countedTwice} counted twice`);
  });
});

function named(name: string): Scenario {
  return scenarios.find((scenario) => scenario.name === name) as Scenario;
}
