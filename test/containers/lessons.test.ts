import { describe, expect, it } from 'vitest';
import { Running } from '../../tools/lib/running.ts';
import { docker, dockerMissing, UP_MS } from '../support/docker.ts';

const missing = dockerMissing();
const title = `npm run lesson -- NAME --docker${missing ? ` (skipped: ${missing})` : ''}`;

describe.skipIf(missing)(title, () => {
  // It pauses, resumes, stops and starts containers, so it covers most of the kit.
  const name = 'rolling-update';
  it(
    `should match its claim in containers: ${name}`,
    async () => {
      const args = ['run', 'lesson', '--silent', '--', name, '--docker', '--json'];
      await using running = new Running('npm', args);
      const { stdout, stderr } = await running.ended;
      expect(JSON.parse(stdout), stderr).toMatchObject([{ name, ok: true }]);
    },
    UP_MS,
  );

  it('should leave no container behind', () => {
    const left = docker(['ps', '--all', '--filter', 'name=shared-state-lesson-', '--quiet']);
    expect(left).toBe('');
  });
});
