import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { Stack } from '../../tools/stack/stack.ts';
import { runScript } from '../support/load-runner.ts';
import { loadTest } from '../support/load-test.ts';

describe('the load tests', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());

  it('should not pass if no server answers', async () => {
    const { code, stderr } = await loadTest('continuity', { BASE_URL: 'http://127.0.0.1:1' });
    expect(code).toBe(107);
    expect(stderr).toContain('http://127.0.0.1:1 does not answer');
  });

  it.each(['continuity', 'cache', 'stampede', 'shop', 'spike', 'soak', 'failover'])(
    'should not pass where each iteration throws at once: %s',
    async (name) => {
      const script = join(ROOT, 'loadtest', `${name}.ts`);
      const functions = [...readFileSync(script, 'utf8').matchAll(/^export function (\w+)\(/gm)]
        .map(([, one]) => one)
        .filter((one) => one !== 'setup');
      const broken = ['default', ...functions].map((one) =>
        one === 'default'
          ? 'export default () => { throw new Error("at once"); };'
          : `export const ${one} = () => { throw new Error("at once"); };`,
      );
      const source = [`export * from ${JSON.stringify(script)};`, ...broken].join('\n');
      const args = ['-e', `BASE_URL=${stack.url}`, '-e', 'DURATION=1s'];
      const { code, stderr } = await runScript(source, { args, ownSummary: true });
      expect(stderr).toContain('Error: at once');
      expect(code).toBe(99);
    },
  );
});
