import { describe, expect, it } from 'vitest';
import { Running } from '../../tools/lib/running.ts';
import { docker, dockerMissing, UP_MS } from '../support/docker.ts';

const missing = dockerMissing();
const title = `npm run lesson -- NAME --docker${missing ? ` (skipped: ${missing})` : ''}`;

describe.skipIf(missing)(title, () => {
  // These two pause, kill, stop and start containers, so they cover most of the kit.
  const names = ['kill-an-instance', 'rolling-update'];
  it(
    `should match the claims in containers: ${names.join(', ')}`,
    async () => {
      const args = ['run', 'lesson', '--silent', '--', ...names, '--docker', '--json'];
      await using running = new Running('npm', args);
      const { stdout, stderr } = await running.ended;
      expect(JSON.parse(stdout), stderr).toMatchObject(names.map((name) => ({ name, ok: true })));
    },
    UP_MS,
  );

  it('should leave no container behind', () => {
    const left = docker(['ps', '--all', '--filter', 'name=shared-state-lesson-', '--quiet']);
    expect(left).toBe('');
  });
});
