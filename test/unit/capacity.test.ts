import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describe, expect, it } from 'vitest';
import { besideModel } from '../../tools/bench/measures/capacity.ts';
import { figure, isMet } from '../../tools/bench/measures/figure.ts';
import { COSTS } from '../../tools/capacity/costs.ts';
import { describeForecast } from '../../tools/capacity/describe.ts';
import { fillDocument } from '../../tools/capacity/documents.ts';
import { carriedBy, type Demand, forecast } from '../../tools/capacity/model.ts';
import { HELP, joinNegative, OPTIONS, readDemand } from '../../tools/capacity/options.ts';
import { ROOT } from '../../tools/lib/root.mjs';

/** Round costs, so that the expected values below can be calculated by hand. */
const ROUND = {
  'first view, CPU of the instance': { value: 100 },
  'first view, CPU of nginx': { value: 50 },
  'first view, CPU of Redis': { value: 40 },
  'first view, append-only file': { value: 500 },
  'first view, replica stream': { value: 400 },
  'first view, to Redis': { value: 300 },
  'first view, from Redis': { value: 100 },
  'first view, to the client': { value: 1000 },
  'first view, idempotency key': { value: 200 },
  'next view, idempotency key': { value: 100 },
  'session, 1 view, of many': { value: 500 },
  'session, logged in, 3 items, of many': { value: 1000 },
  'idle instance, own CPU': { value: 10 },
  'idle instance, CPU of Redis': { value: 1 },
};
const DEMAND: Demand = {
  ...{ views: 10_000, sessions: 1_000_000, shoppers: 0.1 },
  ...{ replicas: 2, cores: 4, network: 10, memory: 16 },
};
const GIB = 2 ** 30;

/** The need for one resource of one kind of process. */
function need(demand: Partial<Demand>, kind: string, resource: string) {
  const { needs } = forecast({ ...DEMAND, ...demand }, ROUND);
  const found = needs.find((one) => one.kind === kind && one.resource === resource);
  if (!found) throw new Error(`no need for ${kind} ${resource}`);
  return found;
}

describe('the capacity model', () => {
  it('should add up the CPU time of views and of idle instances', () => {
    // One core for the views; each instance has 0.7 cores and uses 0.01 of them for itself.
    expect(need({}, 'instances', 'CPU').count).toBe(2);
    expect(need({}, 'instances', 'CPU').amount).toBeCloseTo(1.02);
    expect(need({}, 'instances', 'CPU').oneCarries).toBeCloseTo(0.69 / 100e-6, -1);
    expect(need({}, 'nginx', 'CPU').amount).toBeCloseTo(0.5);
    expect(need({}, 'nginx', 'CPU').oneCarries).toBeCloseTo((0.7 * 4) / 50e-6, -1);
    // 10,000 times 40 µs, and the heartbeats of two instances.
    expect(need({}, 'shards', 'CPU').amount).toBeCloseTo(0.402);
    expect(need({}, 'shards', 'CPU').oneCarries).toBeCloseTo((0.7 - 0.002) / 40e-6, -1);
  });

  it('should count the stream to each replica as network of the primary', () => {
    // 100 bytes of the reply and twice 400 bytes; what it receives, 300 bytes, is less.
    expect(need({}, 'shards', 'network').amount).toBeCloseTo((10_000 * 900 * 8) / 1e9);
    expect(need({ replicas: 0 }, 'shards', 'network').amount).toBeCloseTo(0.024);
    expect(need({}, 'nginx', 'network').amount).toBeCloseTo(0.08);
  });

  it('should count two hashes of idempotency keys for each visitor at most', () => {
    // Each visitor comes every 100 s, so that 2.4 million keys are four minutes old at most.
    const keys = 2e6 * 200 + 0.4e6 * 100;
    expect(need({}, 'shards', 'memory').amount).toBeCloseTo((1e6 * 550 + keys) / GIB);
    // Ten visitors who come 100 times a second have keys of 90 s on average, and 20 hashes.
    const regulars = { views: 1000, sessions: 10, shoppers: 0 };
    const regularKeys = 20 * 200 + (90_015 - 20) * 100;
    expect(need(regulars, 'shards', 'memory').amount).toBeCloseTo((5000 + regularKeys) / GIB, 6);
    expect(need({ views: 0, shoppers: 1 }, 'shards', 'memory').amount).toBeCloseTo(1e9 / GIB);
  });

  it('should tell which part ends first, and at how many views', () => {
    const { first } = forecast(DEMAND, ROUND);
    expect(first).toMatchObject({ kind: 'shards', resource: 'CPU' });
    expect(first.atViews).toBeCloseTo(17_450, -1);
    expect(forecast({ ...DEMAND, shards: 10 }, ROUND).first).toMatchObject({ kind: 'nginx' });
    expect(forecast({ ...DEMAND, instances: 1 }, ROUND).first.kind).toBe('instances');
    expect(forecast({ ...DEMAND, memory: 0.1 }, ROUND).first).toEqual({
      ...{ kind: 'shards', resource: 'memory', atViews: 0 },
    });
  });

  it('should take as many shards as memory and CPU time need, and three at least', () => {
    // 55e9 bytes of sessions and 2.4e9 of keys, in shards of 14.4 GiB.
    const many = { views: 50_000, sessions: 1e8, instances: 100 };
    expect(need(many, 'shards', 'memory').count).toBe(4);
    // Two cores for views, and of each shard 0.1 cores for heartbeats: 2 / (0.7 - 0.1).
    expect(need(many, 'shards', 'CPU').count).toBe(4);
    expect(forecast({ ...DEMAND, ...many }, ROUND).processes.shards).toBe(4);
    expect(forecast({ ...DEMAND, views: 20_000 }, ROUND).processes.shards).toBe(3);
    expect(forecast(DEMAND, ROUND).processes.shards).toBe(1);
  });

  it('should find that no number of shards carries the heartbeats of 701 instances', () => {
    expect(need({ instances: 701 }, 'shards', 'CPU').count).toBe(Infinity);
    expect(describeForecast({ ...DEMAND, instances: 10_000 })).toContain('heartbeats');
  });

  it('should share the stream of changes among the shards', () => {
    const { appendOnly, replicaStream } = forecast({ ...DEMAND, shards: 4 }, ROUND);
    expect(appendOnly).toBe(5_000_000);
    expect(replicaStream).toBe(1_000_000);
  });

  it('should calculate what shards carry', () => {
    const carried = carriedBy({ ...DEMAND, shards: 3, shoppers: 0 }, ROUND);
    // Eight instances carry what three shards do: 3 * (0.7 - 0.008) / 40 µs.
    expect(carried.views).toBeCloseTo(51_900, -1);
    expect(carried.instances).toBe(8);
    expect(carried.nginxCores).toBe(4);
    // Each view is of another visitor, and its key of 200 bytes lives for 240 s.
    const sessions = (3 * 14.4 * GIB - 51_900 * 240 * 200) / 500;
    expect(carried.sessions / sessions).toBeCloseTo(1, 3);
  });
});

describe('npm run capacity', () => {
  const demandOf = (...args: string[]) =>
    readDemand(parseArgs({ args: joinNegative(args), options: OPTIONS }).values);

  it('should read numbers with an exponent', () => {
    expect(demandOf('--views', '5e4', '--sessions', '2E7')).toMatchObject({
      ...{ views: 50_000, sessions: 20_000_000, shoppers: 0.1 },
    });
  });

  it.each([
    ['--views', '-5', '`--views` expects a number from 0 to 1000000000, not "-5".'],
    ['--views', '2e99', '`--views` expects a number from 0 to 1000000000, not "2e99".'],
    ['--views', 'many', '`--views` expects a number from 0 to 1000000000, not "many".'],
    ['--views', 'Infinity', '`--views` expects a number from 0 to 1000000000, not "Infinity".'],
    ['--views', '', '`--views` expects a number from 0 to 1000000000, not "".'],
    ['--shoppers', '2', '`--shoppers` expects a number from 0 to 1, not "2".'],
    ['--shards', '0', '`--shards` expects a whole number from 1 to 1000000, not "0".'],
    ['--shards', '1.5', '`--shards` expects a whole number from 1 to 1000000, not "1.5".'],
  ])('should refuse %s %j', (option, text, message) => {
    expect(() => demandOf(option, text)).toThrow(message);
  });

  it.each([
    [[]],
    [['--views', '0']],
    [['--views', '1e9', '--sessions', '1e12', '--instances', '1000000']],
  ])('should fit on one screen: %j', (args) => {
    const lines = `${describeForecast(demandOf(...args))}\n${HELP}`.split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(110);
    expect(lines.length).toBeLessThan(40);
    expect(lines.join()).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('docs/scaling.md', () => {
  it('should show what the model calculates', () => {
    const folder = mkdtempSync(join(tmpdir(), 'shared-state-capacity-test-'));
    try {
      const file = join(ROOT, 'docs/scaling.md');
      const copy = join(folder, 'scaling.md');
      copyFileSync(file, copy);
      fillDocument(copy);
      expect(readFileSync(copy, 'utf8')).toBe(readFileSync(file, 'utf8'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the check of the model', () => {
  const name = 'first view, CPU of nginx';
  const measured = (factor: number) =>
    besideModel(figure(name, 'µs', [factor * COSTS[name].value]));

  it('should accept a cost that is measured near the model, and refuse others', () => {
    expect(measured(1.9).map(isMet)).toEqual([true]);
    expect(measured(2.1).map(isMet)).toEqual([false]);
    expect(measured(0.4).map(isMet)).toEqual([false]);
    expect(besideModel(figure('something else', 'µs', [1]))).toEqual([]);
  });

  it('should have constants within the range that was measured', () => {
    for (const [cost, { value, range }] of Object.entries(COSTS)) {
      expect(value, cost).toBeGreaterThanOrEqual(range[0]);
      expect(value, cost).toBeLessThanOrEqual(range[1]);
    }
  });
});
