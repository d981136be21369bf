import { describe, expect, it } from 'vitest';
import { Running } from '../../tools/lib/running.ts';
import { docker, dockerMissing, UP_MS } from '../support/docker.ts';

const missing = dockerMissing();
const title = `npm run lesson -- NAME --docker${missing ? ` (skipped: ${missing})` : ''}`;

describe.skipIf(missing)(title, () => {
  // They pause, kill, stop and start, so they need more of containers than most of the others.
  const names = ['kill-an-instance', 'rolling-replacement'];
  it(
    `should observe on containers what the text claims: ${names.join(', ')}`,
    async () => {
      const words = ['run', 'lesson', '--silent', '--', ...names, '--docker', '--json'];
      await using running = new Running('npm', words);
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
