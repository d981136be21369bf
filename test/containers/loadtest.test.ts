import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DockerComposeEnvironment,
  type StartedDockerComposeEnvironment,
  Wait,
} from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../services/stack/root.ts';
import { docker, dockerMissing } from '../support/docker.ts';
import { loadTest } from '../support/load-test.ts';

const missing = dockerMissing();
type Env = Record<string, string>;
/** Milliseconds: the image may have to be built, and others to be pulled. */
const UP_MS = 300_000;

describe.skipIf(missing)(
  `load tests of containers${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    const project = `shared-state-test-${randomBytes(4).toString('hex')}`;
    let environment: StartedDockerComposeEnvironment;
    let url: string;

    beforeAll(async () => {
      environment = await new DockerComposeEnvironment(ROOT, 'docker-compose.yml')
        .withProjectName(project)
        .withBuild()
        // A slower origin, in whose shadow the noise of a small machine is small.
        .withEnvironment({ ...process.env, PORT: '0', ORIGIN_DELAY_MS: '1000' } as Env)
        .withWaitStrategy('nginx-1', Wait.forHealthCheck())
        .withStartupTimeout(UP_MS)
        .up();
      url = `http://localhost:${environment.getContainer('nginx-1').getMappedPort(8080)}`;
    }, UP_MS);
    afterAll(async () => {
      await environment?.down({ removeVolumes: true, timeout: 10_000 });
    });

    it.each(['continuity', 'cache'])('should pass: %s', async (name) => {
      const { code, stdout, run } = await loadTest(name, { BASE_URL: url, DURATION: '3s' });
      expect(code, stdout).toBe(0);
      expect(run.instances).toHaveLength(3);
    });

    // k6 itself is not to be had where this runs: the runner takes the place of its image.
    it('should pass beside the containers: docker compose --profile loadtest run k6', () => {
      const results = mkdtempSync(join(tmpdir(), 'shared-state-results-'));
      chmodSync(results, 0o777);
      try {
        const compose = ['compose', '--project-directory', ROOT, '-p', project];
        const runner = ['--volume', `${ROOT}:/project:ro`, '--entrypoint', 'node'];
        const words = ['/project/loadtest/runner/main.ts', 'run', '/scripts/continuity.ts'];
        const output = docker(
          [
            ...[...compose, '--profile', 'loadtest', 'run', '--rm', '--no-deps', ...runner],
            ...['--volume', `${results}:/scripts/results`, 'k6'],
            ...[...words, '-e', 'DURATION=2s'],
          ],
          { PORT: '0', K6_IMAGE: process.env.NODE_IMAGE ?? 'node:24-slim' },
        );
        expect(output).toContain('REQUESTS BY INSTANCE of http://nginx:8080');
        expect(readFileSync(join(results, 'continuity.html'), 'utf8')).toContain('<!doctype html>');
      } finally {
        rmSync(results, { recursive: true });
      }
    });
  },
);
