import { describe, expect, it } from 'vitest';
import { docker, dockerMissing, UP_MS } from '../support/docker.ts';
import { Running } from '../support/processes.ts';

const missing = dockerMissing();
const title = `npm run lesson -- NAME --docker${missing ? ` (skipped: ${missing})` : ''}`;

describe.skipIf(missing)(title, () => {
  // It pauses and kills, so it needs more of containers than most of the others.
  it(
    'should observe on containers what the text claims: kill-an-instance',
    async () => {
      const words = ['run', 'lesson', '--silent', '--', 'kill-an-instance', '--docker', '--json'];
      await using running = new Running('npm', words);
      const { stdout, stderr } = await running.ended;
      expect(JSON.parse(stdout), stderr).toMatchObject([{ name: 'kill-an-instance', ok: true }]);
    },
    UP_MS,
  );

  it('should leave no container behind', () => {
    const left = docker(['ps', '--all', '--filter', 'name=shared-state-lesson-', '--quiet']);
    expect(left).toBe('');
  });
});
