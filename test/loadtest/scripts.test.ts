import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../../tools/stack/stack.ts';
import { loadTest } from '../support/load-test.ts';

// Alone, after the others: some thresholds are about time.

/** The thresholds that did not hold. */
function crossed(run: Awaited<ReturnType<typeof loadTest>>['run']): string[] {
  return Object.entries(run.data.metrics).flatMap(([name, { thresholds = {} }]) =>
    Object.keys(thresholds)
      .filter((source) => !thresholds[source]?.ok)
      .map((source) => `${name}: ${source}`),
  );
}

/** The checks that did not hold each time. */
function failedChecks({ run }: Awaited<ReturnType<typeof loadTest>>): string[] {
  const failed = run.data.root_group.checks.filter(({ fails }) => fails > 0);
  return failed.map(({ name }) => name);
}

describe('the load tests', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());

  it.each([
    ['continuity', '2s'],
    ['cache', '3s'],
    ['stampede', '3s'],
    ['shop', '6s'],
    ['spike', '8s'],
    ['soak', '6s'],
  ])('should pass: %s', async (name, DURATION) => {
    const { code, stdout, stderr, html, run } = await loadTest(name, {
      BASE_URL: stack.url,
      DURATION,
    });
    expect(crossed(run), stdout + stderr).toEqual([]);
    expect(code, stderr).toBe(0);
    expect(run.instances.map((one) => one.name).sort()).toEqual(['app-1', 'app-2', 'app-3']);
    expect(html).toContain('app-3');
  });

  it('should pass: failover, while instances are killed and replaced', async () => {
    const settings = { BASE_URL: stack.url, DURATION: '8s' };
    let faults = 0;
    const { code, stdout, run } = await loadTest('failover', settings, async () => {
      for (const name of ['app-1', 'app-2']) {
        const instance = stack.process(name);
        await instance.kill();
        await instance.start();
        faults += 1;
      }
      await stack.scale(5);
      await stack.scale(3);
    });
    expect(faults).toBe(2);
    expect(crossed(run), stdout).toEqual([]);
    expect(code).toBe(0);
  });

  it('should tell local hits from those in Redis, and mostly find local ones', async () => {
    const { run } = await loadTest('cache', { BASE_URL: stack.url, DURATION: '2s' });
    const local = run.data.metrics['hits{found:local}']?.values.count ?? 0;
    const redis = run.data.metrics['hits{found:redis}']?.values.count ?? 0;
    expect(redis).toBeGreaterThan(0);
    expect(local).toBeGreaterThan(redis);
  });

  it('should compare a run with an earlier one', async () => {
    const BASE_URL = stack.url;
    const first = await loadTest('continuity', { BASE_URL, DURATION: '1s' });
    const BEFORE = join(tmpdir(), `before-${process.pid}.json`);
    try {
      writeFileSync(BEFORE, JSON.stringify(first.run));
      const second = await loadTest('continuity', { BASE_URL, DURATION: '1s', BEFORE });
      expect(second.code).toBe(0);
      expect(first.html).not.toMatch(/before/i);
      expect(second.html).toMatch(/before/i);
    } finally {
      rmSync(BEFORE, { force: true });
    }
  });
});

describe('the load tests, on the wrong ways', () => {
  it('should fail: continuity with SESSION_STORE=memory, and cache with CACHE=off', async () => {
    await using stack = await Stack.start({
      env: { ...process.env, SESSION_STORE: 'memory', CACHE: 'off' },
    });
    const settings = { BASE_URL: stack.url, DURATION: '1s' };
    const continuity = await loadTest('continuity', settings);
    expect(crossed(continuity.run)).toEqual(['checks: rate==1']);
    expect(failedChecks(continuity)).toEqual(['views are 1 to 30, each once', 'one session']);
    expect(continuity.code).toBe(99);
    const cache = await loadTest('cache', settings);
    expect(crossed(cache.run)).toContain('hit_ratio: rate>0.95');
    expect(cache.code).toBe(99);
  });

  it('should fail: continuity with one instance', async () => {
    await using stack = await Stack.start({ scale: 1 });
    const alone = await loadTest('continuity', { BASE_URL: stack.url, DURATION: '1s' });
    expect(crossed(alone.run)).toEqual(['checks: rate==1']);
    expect(failedChecks(alone)).toEqual(['at least 3 instances']);
    expect(alone.code).toBe(99);
  });

  it('should fail: continuity at once with COUNTER=session, and stampede with CACHE_GUARD=off', async () => {
    await using stack = await Stack.start({
      env: { ...process.env, COUNTER: 'session', CACHE_GUARD: 'off' },
    });
    const settings = { BASE_URL: stack.url, DURATION: '2s' };
    expect((await loadTest('continuity', settings)).code).toBe(0); // one after the other
    const continuity = await loadTest('continuity', { ...settings, AT_ONCE: '6' });
    expect(failedChecks(continuity)).toEqual(['views are 1 to 30, each once']);
    expect(continuity.code).toBe(99);
    const stampede = await loadTest('stampede', settings);
    expect(crossed(stampede.run)).toEqual(['origin_calls_per_expiry: max<=1']);
    expect(stampede.code).toBe(99);
  });
});
