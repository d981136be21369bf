import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempDisposableSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { findProgram } from '../../tools/lib/programs.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { Observer } from '../../tools/observe/observer.ts';
import { prometheusMissing } from '../../tools/observe/programs.ts';
import { startControlServer } from '../../tools/stack/control-server.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { newName } from '../support/npm.ts';
import { range } from '../support/proofs.ts';

const missing = prometheusMissing();
const skipped = missing ? ` (skipped: ${missing})` : '';
const folder = join(ROOT, 'deploy/observe');
const rules = readFileSync(join(folder, 'rules.yml'), 'utf8');

it.runIf(process.env.REQUIRE_PROMETHEUS === '1')(
  'should be there, since REQUIRE_PROMETHEUS=1',
  () => {
    expect(missing).toBeUndefined();
  },
);

function promtool(words: string[], cwd = folder): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(findProgram('promtool') ?? '', words, {
    cwd,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

describe.skipIf(missing)(`the rules in deploy/observe${skipped}`, () => {
  it('should be valid, and fire for the inputs of their tests alone', () => {
    for (const words of [
      ['check', 'config', 'prometheus.yml'],
      ['test', 'rules', 'rules.test.yml'],
    ]) {
      const { status, output } = promtool(words);
      expect(status, output).toBe(0);
    }
  });

  it.each([
    ['fires', 'vector(1) > 1', String.raw`exp:\[\s+0:[\s\S]+?got:\[\]`],
    ['is silent', 'vector(1)', String.raw`exp:\[\],\s+got:\[\s+0:`],
  ])('should have a test in which each alert %s', (_, expr, failure) => {
    using copy = mkdtempDisposableSync(join(tmpdir(), 'shared-state-rules-'));
    cpSync(join(folder, 'rules.test.yml'), join(copy.path, 'rules.test.yml'));
    const pattern = /(alert: \w+\n +expr:)[\s\S]*?(\n +(?:for|labels):)/g;
    writeFileSync(join(copy.path, 'rules.yml'), rules.replaceAll(pattern, `$1 ${expr}$2`));
    const { output } = promtool(['test', 'rules', 'rules.test.yml'], copy.path);
    const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name);
    expect(alerts).toHaveLength(9);
    for (const name of alerts) {
      expect(output).toMatch(new RegExp(`alertname: ${name}, time: \\w+, \\s+${failure}`));
    }
  });
});

describe.skipIf(missing)(`a stack with Prometheus beside it${skipped}`, () => {
  const name = newName();
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ name });
  });
  afterAll(() => stack?.close());

  it('should have data for every query of the dashboard in Grafana', async () => {
    const observed = { folder: stack.folder, redisUrl: stack.redis.url, ps: () => stack.ps() };
    await using observer = await Observer.start(observed, { speed: 15 });
    const path = 'grafana/dashboards/shared-state.json';
    const { panels } = JSON.parse(readFileSync(join(folder, path), 'utf8')) as {
      panels: { targets: { expr: string }[] }[];
    };
    const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    expect(queries.length).toBeGreaterThan(10);
    const visitor = new Visitor(stack.url);
    const hasData = async (query: string) => {
      const found = await observer.query(query.replaceAll('$__rate_interval', '5s'));
      return found.some(({ value: [, value] }) => Number.isFinite(Number(value)));
    };
    await eventually(async () => {
      await visitor.view();
      await visitor.send('/data');
      for (const query of queries) expect(await hasData(query), query).toBe(true);
    }, 20_000);
    expect(await hasData('no_such_metric')).toBe(false);
    const names = await observer.query('target_info{job="app"}');
    expect(names.map(({ metric }) => metric.service_instance_id).sort()).toEqual(
      range(1, 3).map((i) => `app-${i}`),
    );
  });

  it('should be followed by `npm run observe` when it scales and when it ends', async () => {
    const control = await startControlServer(name, stack);
    const args = ['run', '--silent', 'observe', '--', '--name', name, '--port', '0'];
    await using running = new Running('npm', args);
    const url = await eventually(() => {
      const [, found] = /^ready (http:\/\/localhost:\d+)$/m.exec(running.stdout) ?? [];
      if (!found) throw new Error(`not ready: ${running.stdout}${running.stderr}`);
      return found;
    }, 20_000);
    const addressesOf = async (job: string): Promise<string[]> => {
      const { body } = await send(`${url}/api/v1/targets?state=active`);
      const { activeTargets } = JSON.parse(body).data;
      return activeTargets
        .filter(({ labels }: { labels: Record<string, string> }) => labels.job === job)
        .map(({ labels }: { labels: Record<string, string> }) => labels.instance)
        .sort();
    };
    const expectApp = (count: number) =>
      eventually(async () => {
        expect(stack.instances).toHaveLength(count);
        const ports = stack.instances.map(({ port }) => `127.0.0.1:${port}`);
        expect(await addressesOf('app')).toEqual(ports.sort());
      });
    await expectApp(3);
    await stack.scale(4);
    await expectApp(4);
    expect(await addressesOf('redis')).toEqual([`127.0.0.1:${stack.redis.port}`]);
    control.close();
    const { code, stdout } = await running.ended;
    expect(stdout).toContain('The stack has ended.');
    expect(code).toBe(0);
  });

  it('should be named by `npm run observe` if it is not running', async () => {
    const args = ['run', '--silent', 'observe', '--', '--name', newName(), '--port', '0'];
    await using running = new Running('npm', args);
    const { code, stderr } = await running.ended;
    expect(stderr).toMatch(
      /^No stack named "test-\w+" is running; start one with `npm start`\.\n$/,
    );
    expect(code).toBe(2);
  });
});
