import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { connectRedis } from '../../services/shared/process/redis-connection.ts';
import { runScenario, type Scenario } from '../../tools/faults/environment.ts';
import { scenarios } from '../../tools/faults/scenarios.ts';
import { wrongCreateSentinel } from '../../tools/faults/wrong-create-sentinel.ts';
import { DelayedRedis } from '../../tools/lib/delayed-redis.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import type { Redis } from '../../tools/stack/redis.ts';
import { RedisAlone } from '../support/redis-alone.ts';

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
    const { countedTwice, breaches } = await runScenario(inTurn(named('hang')), options);
    expect(countedTwice).toBeGreaterThan(0);
    expect(breaches).toContain(`${countedTwice} counted twice`);
  });

  it('should detect slow replies: nginx asks in turn, and an instance hangs', async () => {
    const { breaches } = await runScenario(inTurn(named('hang')), OPTIONS);
    expect(breaches).toEqual([expect.stringMatching(/^\d\d\.\d % slower than 1000 ms$/)]);
  });

  it('should detect lost updates: COUNTER=session, and several clients on one session', async () => {
    const options = { ...OPTIONS, env: { COUNTER: 'session' } };
    const { countedTwice, breaches } = await runScenario(named('nginx-reload'), options);
    expect(countedTwice).toBeGreaterThan(0); // a number that is returned twice means a lost view
    expect(breaches).toContain(`${countedTwice} counted twice`);
  });
});

describe('a client whose connection ends between a change and its reply', () => {
  const CHANGES = 32;

  /** Sends changes of a counter at once. When Redis has applied all, it loses the replies. */
  async function countThroughCut(
    client: { incr(key: string): Promise<unknown> },
    counter: string,
    redis: Redis,
    proxy: DelayedRedis,
  ) {
    const value = async () => Number((await redis.ask(`GET ${counter}`)).split('\r\n')[1]);
    proxy.delayMs = 10_000; // longer than it waits below
    const replies = [client.incr(counter)];
    await setImmediate(); // createSentinel sends the others beside the first one only now
    while (replies.length < CHANGES) replies.push(client.incr(counter));
    const settled = Promise.allSettled(replies);
    await eventually(async () => expect(await value()).toBe(CHANGES));
    proxy.delayMs = 0;
    proxy.cut();
    const answered = (await settled).filter(({ status }) => status === 'fulfilled').length;
    return { answered, final: await value() };
  }

  it('should see each change applied twice with createSentinel, and an error with connectRedis', async () => {
    await using alone = await RedisAlone.start('sentinel');
    const { process: redis, url } = alone;
    await using proxy = await DelayedRedis.inFrontOf(redis);

    const wrong = await wrongCreateSentinel(url);
    const twice = await countThroughCut(wrong, 'wrong', redis, proxy);
    await wrong.destroy();
    expect(twice).toEqual({ answered: CHANGES, final: 2 * CHANGES });

    const log = pino({ level: 'silent' });
    const options = { url, timeoutMs: 1000, log, name: 'Redis', scripts: {}, replicas: 0 };
    const ours = connectRedis(options);
    await eventually(() => ours.ping());
    const once = await countThroughCut(ours, 'ours', redis, proxy);
    ours.destroy();
    expect(once).toEqual({ answered: 0, final: CHANGES });
  });
});

/** The same with an nginx that asks all instances in turn, even while some hang. */
function inTurn(scenario: Scenario): Scenario {
  return {
    ...scenario,
    async run(environment) {
      const { folder, nginx } = environment.stack;
      const file = join(folder, 'nginx/site/upstream.conf');
      const upstreams = readFileSync(file, 'utf8').replace('least_conn;', '');
      writeFileSync(file, upstreams.replaceAll('fail_timeout=1s', 'max_fails=0'));
      await nginx.reload();
      await scenario.run(environment);
    },
  };
}

function named(name: string): Scenario {
  return scenarios.find((scenario) => scenario.name === name) as Scenario;
}
