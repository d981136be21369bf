import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { ComposeStack, dockerMissing, UP_MS } from '../support/docker.ts';
import { loadTest } from '../support/load-test.ts';

const missing = dockerMissing();
const title = `load tests of containers${missing ? ` (skipped: ${missing})` : ''}`;

describe.skipIf(missing)(title, () => {
  let stack: ComposeStack;
  beforeAll(async () => {
    // With a slower origin, the noise of a small machine matters less.
    stack = await ComposeStack.start({ ORIGIN_DELAY_MS: '1000' });
  }, UP_MS);
  afterAll(() => stack?.[Symbol.asyncDispose]());

  it.each<[string, Record<string, string>]>([
    ['continuity', { VISITORS: '20' }],
    ['cache', { DURATION: '3s', RATE: '50', HIT_MS: '100' }],
  ])('should pass: %s', async (name, settings) => {
    const { code, stdout } = await loadTest(name, { ...settings, BASE_URL: stack.url });
    expect(code, stdout).toBe(0);
  });

  // k6 may be unavailable here, so a Node image with the project's runner replaces its image.
  it('should pass in a container of the stack: docker compose --profile loadtest run k6', () => {
    const results = mkdtempSync(join(tmpdir(), 'shared-state-results-'));
    chmodSync(results, 0o777);
    try {
      const output = stack.run(
        [
          ...['--profile', 'loadtest', 'run', '--rm', '--no-deps'],
          ...['--volume', `${ROOT}:/project:ro`, '--volume', `${results}:/scripts/results`],
          ...['--entrypoint', 'node', 'k6', '/project/loadtest/runner/main.ts'],
          ...['run', '/scripts/02-continuity.ts', '-e', 'VISITORS=5'],
        ],
        { K6_IMAGE: process.env.NODE_IMAGE ?? 'node:24-slim' },
      );
      expect(output).toContain(
        'continuity passed: A counter continues across instances, at http://nginx:8080',
      );
      expect(JSON.parse(readFileSync(join(results, 'continuity.json'), 'utf8')).problem).toBe(
        undefined,
      );
    } finally {
      rmSync(results, { recursive: true });
    }
  });
});
