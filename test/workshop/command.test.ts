import { describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Ended, Running } from '../../tools/lib/running.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { course } from '../../workshop/kit/course.ts';
import { npmRunStack } from '../support/npm.ts';

const words = (...its: string[]) => ['run', 'lesson', '--silent', '--', ...its];

async function lesson(its: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  await using running = new Running('npm', words(...its), env);
  return await running.ended;
}

describe('npm run lesson', () => {
  it.each([[[]], [['--list']]])('should list the lessons, and how to run them: %j', async (its) => {
    const { code, stdout } = await lesson(its);
    expect(code).toBe(0);
    for (const { number, name, question } of course()) {
      expect(stdout).toMatch(new RegExp(`^${number} ${name} +\\S`, 'm'));
      expect(stdout).toContain(question);
    }
    expect(stdout).toContain('npm run lesson -- NAME');
  });

  it.each([
    [['no-such-lesson'], /no lesson "no-such-lesson", only one-counter, /],
    [['--no-such-option'], /--no-such-option/],
  ])('should exit 2 at %j and say why', async (its, reason) => {
    const { code, stderr } = await lesson(its);
    expect(code).toBe(2);
    expect(stderr).toMatch(reason);
  });

  it('should exit 1 where something else is observed: the right way with the memory store', async () => {
    const { code, stdout, stderr } = await lesson(['01', '--json'], { SESSION_STORE: 'memory' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ +views, in turn +1 2 3 4 5 6 7 8 9 +1 1 1 1 1 1 1 1 1 +✗$/m);
    expect(stderr).toMatch(/^✗ This is not what the text claims: .+\.$/m);
    expect(JSON.parse(stdout)).toEqual([
      {
        name: 'one-counter',
        claim: expect.any(String),
        wrong: expect.objectContaining({ 'views, in turn': '1 1 1 1 1 1 1 1 1' }),
        right: expect.objectContaining({ 'views, in turn': '1 1 1 1 1 1 1 1 1' }),
        ok: false,
      },
    ]);
  });

  it('should exit 1 and say why where it cannot be run to its end', async () => {
    const { code, stdout } = await lesson(['one-counter'], { ORIGIN_DELAY_MS: 'soon' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ It could not be run to its end: .*ORIGIN_DELAY_MS="soon"/m);
  });

  it('should print predicted and observed and a verdict, and with --keep leave the right way up', async () => {
    await using running = new Running('npm', words('one-counter', '--keep'));
    const url = await eventually(() => {
      const [, found] = /^It is up: (http:\S+)/m.exec(running.stdout) ?? [];
      if (!found) throw new Error(running.stdout + running.stderr);
      return found;
    }, 40_000);
    const { stdout } = running;
    expect(stdout).toMatch(/^ +predicted +observed$/m);
    expect(stdout).toMatch(/^WRONG {2}\S/m);
    expect(stdout).toMatch(/^RIGHT {2}\S/m);
    expect(stdout).toMatch(/^ +views, in turn +1 2 3 4 5 6 7 8 9 +1 2 3 4 5 6 7 8 9 +✓$/m);
    expect(stdout).toMatch(/^✓ .+\.$/m);
    expect((await new Visitor(url).viewInTurn(2)).map(({ views }) => views)).toEqual([1, 2]);
    expect((await npmRunStack('--name', 'lesson', 'ps')).stdout).toMatch(
      /^app-3 +\d+ +\d+ +ready/m,
    );
    running.child.kill('SIGINT');
    expect((await running.ended).code).not.toBe(0);
    await expect(new Visitor(url).view()).rejects.toThrow('ECONNREFUSED');
  });
});
