import { describe, expect, it } from 'vitest';
import { runScenario, type Scenario } from '../../tools/faults/environment.ts';
import { scenarios } from '../../tools/faults/scenarios.ts';

/** `npm run faults` runs the long ones too. */
const inShort = scenarios.filter(({ isLong }) => !isLong);
const OPTIONS = { seed: 1, short: true };

describe('faults under load (short form)', () => {
  for (const scenario of inShort) {
    const { name, should, missing } = scenario;
    const reason = missing ? ` (skipped: ${missing})` : '';
    it.skipIf(missing)(`${name}: should ${should}${reason}`, async () => {
      const { breaches } = await runScenario(scenario, OPTIONS);
      expect(breaches).toEqual([]);
    });
  }

  const cutOff = named('primary-cut-off');
  it.skipIf(cutOff.missing)('should detect lost changes: no replica has to have them', async () => {
    const options = { ...OPTIONS, env: { REDIS_WAIT_REPLICAS: '0' } };
    const { lost, breaches } = await runScenario(cutOff, options);
    expect(lost).toBeGreaterThan(0);
    expect(breaches).toContain(`${lost} lost`);
  });

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
