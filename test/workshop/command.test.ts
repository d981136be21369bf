import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Ended, Running } from '../../tools/lib/running.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { catalog } from '../../workshop/kit/catalog.ts';
import { npmRunStack } from '../support/npm.ts';

const command = (...args: string[]) => ['run', 'lesson', '--silent', '--', ...args];

async function lesson(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  await using running = new Running('npm', command(...args), env);
  return await running.ended;
}

describe('npm run lesson', () => {
  it.each([[[]], [['--list']]])(
    'should list the lessons and explain how to run them: %j',
    async (args) => {
      const { code, stdout } = await lesson(args);
      expect(code).toBe(0);
      for (const { number, name, question } of catalog()) {
        expect(stdout).toMatch(new RegExp(`^${number} ${name} +\\S`, 'm'));
        expect(stdout).toContain(question);
      }
      expect(stdout).toContain('npm run lesson -- NAME');
    },
  );

  it.each([
    [['no-such-lesson'], /no lesson "no-such-lesson"\. Choose one of: shared-counter, /],
    [['--no-such-option'], /--no-such-option/],
  ])('should exit 2 for %j and say why', async (args, reason) => {
    const { code, stderr } = await lesson(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(reason);
  });

  it('should exit 1 if an observation contradicts the claim: the right way with the memory store', async () => {
    const { code, stdout, stderr } = await lesson(['01', '--json'], { SESSION_STORE: 'memory' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ +views, in turn +1 2 3 4 5 6 7 8 9 +1 1 1 1 1 1 1 1 1 +✗$/m);
    expect(stderr).toMatch(/^✗ The observations contradict the claim: .+\.$/m);
    expect(JSON.parse(stdout)).toEqual([
      {
        name: 'shared-counter',
        claim: expect.any(String),
        wrong: expect.objectContaining({ 'views, in turn': '1 1 1 1 1 1 1 1 1' }),
        right: expect.objectContaining({ 'views, in turn': '1 1 1 1 1 1 1 1 1' }),
        ok: false,
      },
    ]);
  });

  it('should exit 1 and say why if the lesson cannot finish', async () => {
    const { code, stdout } = await lesson(['shared-counter'], { ORIGIN_DELAY_MS: 'soon' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ The lesson did not finish: .*ORIGIN_DELAY_MS="soon"/m);
  });

  it('should print predictions, observations and a verdict, and with --keep keep the right way running', async () => {
    await using running = new Running('npm', command('shared-counter', '--keep'));
    const url = await eventually(() => {
      const [, found] = /^The stack is running: (http:\S+)/m.exec(running.stdout) ?? [];
      if (!found) throw new Error(running.stdout + running.stderr);
      return found;
    }, 55_000); // three stacks start one after the other
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

  describe('with --show', () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'shared-state-show-'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it('should open the page of the right way at the step of the tour, until Ctrl-C', async () => {
      const opened = join(folder, 'opened');
      const BROWSER = join(folder, 'browser');
      writeFileSync(BROWSER, `#!/bin/sh\necho "$#" "$@" > ${opened}\n`, { mode: 0o755 });
      await using running = new Running('npm', command('lost-updates', '--show'), { BROWSER });
      const url = await eventually(() => {
        const [, found] = /^1 (http:\S+\/)#tour=4\n$/.exec(readFileSync(opened, 'utf8')) ?? [];
        if (!found) throw new Error(running.stdout + running.stderr);
        return found;
      }, 55_000);
      await eventually(() => expect(running.stdout).toContain('Press Ctrl-C to end it.'));
      expect(running.stdout).toContain(`\nTo see it on the page: ${url}#tour=4\n`);
      const page = await fetch(url, { headers: { accept: 'text/html' } });
      expect(page.status).toBe(200);
      expect(await page.text()).toContain('<section id="tour-step"');
      running.child.kill('SIGINT');
      expect((await running.ended).code).not.toBe(0);
      await expect(fetch(url)).rejects.toThrow('fetch failed');
    });
  });
});
