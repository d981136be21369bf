import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { BrokenSite } from '../support/broken-site.ts';
import { loadTest } from '../support/load-test.ts';

describe('the load tests', () => {
  let stack: Stack;
  let folder: string;
  beforeAll(async () => {
    stack = await Stack.start({ env: { ...process.env, FAULT_INJECTION: 'off' } });
    folder = mkdtempSync(join(tmpdir(), 'shared-state-results-'));
  });
  afterAll(async () => {
    await stack?.close();
    rmSync(folder, { recursive: true });
  });

  /** Starts a script with the runner alone, as one would with k6. */
  const start = (script: string, ...words: string[]) => {
    const env = ['-e', `BASE_URL=${stack.url}`, '-e', `RESULTS=${folder}`];
    const runner = join(ROOT, 'loadtest/runner/main.ts');
    return new Running(process.execPath, [
      runner,
      'run',
      ...env,
      ...words,
      join(ROOT, 'loadtest', script),
    ]);
  };

  it('should say that no server answers', async () => {
    const { code, stderr } = await loadTest('smoke', { BASE_URL: 'http://127.0.0.1:1' });
    expect(code).toBe(107);
    expect(stderr).toContain('http://127.0.0.1:1 does not answer');
  });

  it.each(['smoke', 'continuity', 'shop'])('should need two instances: %s', async (name) => {
    const { code, stderr } = await loadTest(name, { BASE_URL: stack.url, INSTANCES: 'app-1' });
    expect(code).toBe(107);
    expect(stderr).toContain('needs 2 instances');
  });

  it('should refuse a setting that the script does not have', async () => {
    const { code, stderr } = await loadTest('spike', { BASE_URL: stack.url, VISITORS: 5 });
    expect(code).toBe(107);
    expect(stderr).toContain(
      'VISITORS is not a setting of this script. It has BASE_URL, DURATION,',
    );
  });

  it.each(['DURATON', 'DURATIONS', 'DURATOIN', 'DURETION'])(
    'should refuse a misspelled setting without the launcher: %s',
    async (name) => {
      await using running = start('08-spike.ts', '-e', `${name}=1s`);
      const { code, stderr } = await running.ended;
      expect(code).toBe(107);
      expect(stderr).toContain(`${name} is not a setting of this script`);
    },
  );

  it.each(['VUS=many', 'VUS=-1', 'DURATION=10', 'DURATION=1 s'])(
    'should refuse a setting with an invalid value: %s',
    async (pair) => {
      await using running = start('03-average-load.ts', '-e', pair);
      const { code, stderr } = await running.ended;
      expect(code).toBe(107);
      expect(stderr).toMatch(new RegExp(`${pair}: use a (whole number|duration), for example`));
    },
  );

  it('should say that an interrupted run is none, and exit with 105', async () => {
    await using running = start('09-soak.ts', '-e', 'DURATION=1m');
    await eventually(() => expect(running.stderr).toContain('running ('), 20_000);
    running.child.kill('SIGINT');
    const { code, stdout } = await running.ended;
    expect(code).toBe(105);
    expect(stdout).toContain('✗ soak ');
    expect(stdout).not.toContain('passed');
  });

  it('should keep the last good result if a run fails', async () => {
    const good = join(folder, 'smoke.json');
    writeFileSync(good, 'good');
    await using site = await BrokenSite.hanging(stack.url, 20);
    await using running = start('01-smoke.ts', '-e', `BASE_URL=${site.url}`);
    expect((await running.ended).code).toBe(99);
    expect(readFileSync(good, 'utf8')).toBe('good');
    expect(JSON.parse(readFileSync(join(folder, 'smoke.failed.json'), 'utf8')).problem).toBe(
      'failed',
    );
  });

  it('should judge instances that are killed by others: failover', async () => {
    const settings = { BASE_URL: stack.url, DURATION: '10s', KILLS: 0 };
    // until the requests of the test before no longer count
    await eventually(async () => expect(await rateOf('app-2')).toBeLessThan(1), 20_000);
    const { code, stdout } = await loadTest('failover', settings, async () => {
      const instance = stack.process('app-2');
      await eventually(async () => expect(await rateOf(instance.name)).toBeGreaterThan(1), 20_000);
      await instance.kill();
      await instance.start();
    });
    expect(code, stdout).toBe(0);
  }, 120_000);

  it('should say that nothing was proved if no instance was killed: failover', async () => {
    const { code, stdout, crossed } = await loadTest('failover', {
      BASE_URL: stack.url,
      DURATION: '3s',
    });
    expect(crossed).toEqual(['instances_ended: count>=2']);
    expect(stdout).toContain('not judged: no instance was killed');
    expect(code).toBe(99);
  });

  it('should name the limit that it found: breakpoint', async () => {
    const settings = { BASE_URL: stack.url, DURATION: '20s', MAX_RATE: 10, VIEW_MS: 0 };
    const { code, stdout } = await loadTest('breakpoint', settings);
    expect(code).toBe(99);
    expect(stdout).toContain(
      '3 instances took fewer than 1 visitors a second (two views each), not 1\n',
    );
  });

  /** Requests per second that an instance has answered in the last seconds. */
  async function rateOf(instance: string): Promise<number> {
    const reply = await fetch(`${stack.url}/dashboard/instances`);
    const { instances } = (await reply.json()) as {
      instances: { name: string; requestsPerSecond: number }[];
    };
    return instances.find(({ name }) => name === instance)?.requestsPerSecond ?? 0;
  }
});
