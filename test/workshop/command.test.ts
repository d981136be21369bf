import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { catalog } from '../../workshop/kit/catalog.ts';
import { npmRunStack } from '../support/npm.ts';

const command = (...args: string[]) => ['run', 'lesson', '--silent', '--', ...args];

async function lesson(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  await using running = new Running('npm', command(...args), env);
  return await running.ended;
}

/** The address of the stack that `--keep` keeps, once the lesson is over. */
function keptUrl(running: Running): Promise<string> {
  return eventually(() => {
    const [, url] = /^The stack is running: (http:\S+)/m.exec(running.stdout) ?? [];
    if (!url) throw new Error(running.stdout + running.stderr);
    return url;
  }, 55_000); // three stacks start one after the other
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
    [['01', '--keep'], /^`--keep` expects `wrong` or `right`, for example /],
    [['--keep', 'lost-updates'], /^`--keep` expects `wrong` or `right`, for example /],
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

  it('should print predictions, observations and a verdict, and with --keep right keep that way running', async () => {
    await using running = new Running('npm', command('shared-counter', '--keep', 'right'), {
      FORCE_COLOR: '1', // only a terminal gets colors
    });
    const url = await keptUrl(running);
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

    it('should open a page that shows both ways side by side, until Ctrl-C', async () => {
      const opened = join(folder, 'opened');
      const BROWSER = join(folder, 'browser');
      writeFileSync(BROWSER, `#!/bin/sh\necho "$#" "$@" > ${opened}\n`, { mode: 0o755 });
      await using running = new Running('npm', command('lost-updates', '--show'), { BROWSER });
      const url = await eventually(() => {
        const [, found] = /^1 (http:\S+)\n$/.exec(readFileSync(opened, 'utf8')) ?? [];
        if (!found) throw new Error(running.stdout + running.stderr);
        return found;
      }, 10_000);
      const page = await fetch(url);
      expect(page.status).toBe(200);
      expect(page.headers.get('content-security-policy')).toContain('frame-src http://localhost:*');
      await eventually(() => expect(running.stdout).toContain('Press Ctrl-C to end it.'), 55_000);
      const stacks = await Promise.all(
        ['lesson-wrong', 'lesson'].map(async (name) => {
          const { stdout } = await npmRunStack('--name', name, 'ps', '--json');
          const { port } = JSON.parse(stdout).find((one: { name: string }) => one.name === 'nginx');
          return `http://localhost:${port}`;
        }),
      );
      for (const stack of stacks) {
        const { headers } = await fetch(`${stack}/dashboard`);
        expect(headers.get('content-security-policy')).toContain(
          `frame-ancestors ${new URL(url).origin}`,
        );
      }
      const [wrong = '', right = ''] = stacks;
      const lost = async (stack: string) => {
        const visitor = new Visitor(stack);
        await visitor.view();
        await visitor.viewAtOnce(100);
        return 102 - (await visitor.view()).views;
      };
      expect(await lost(wrong)).toBeGreaterThan(0);
      expect(await lost(right)).toBe(0);
      running.child.kill('SIGINT');
      expect((await running.ended).code).not.toBe(0);
      for (const one of [url, ...stacks]) await expect(fetch(one)).rejects.toThrow('fetch failed');
    });
  });
});

describe('npm run lesson on a terminal', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-progress-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const PROMPT = 'or Enter to skip): ';
  const [CTRL_C, CTRL_D] = ['\x03', '\x04'];
  const progress = () => JSON.parse(readFileSync(join(folder, 'progress.json'), 'utf8'));

  /** The output with names instead of the escape codes of colors. */
  function withColorNames(text: string): string {
    const names = { 31: '<red>', 32: '<green>', 33: '<yellow>', 39: '</>' };
    return Object.entries(names).reduce((all, [code, name]) => {
      return all.replaceAll(`\x1b[${code}m`, name);
    }, text);
  }

  /** A lesson on a terminal of its own, by `script`. */
  function onTerminal(args: string[], env: NodeJS.ProcessEnv = {}): Running {
    const words = ['npm', ...command(...args)].join(' ');
    const colors = { CI: undefined, FORCE_COLOR: undefined, NO_COLOR: undefined };
    const all = { ...colors, TERM: 'xterm-256color', WORKSHOP_FOLDER: folder, ...env };
    return new Running('script', ['-qefc', words, '/dev/null'], all, ROOT, 'pipe');
  }

  /** Waits for each question, then types the answer. */
  async function answer(running: Running, answers: string[]): Promise<void> {
    for (const [i, keys] of answers.entries()) {
      await eventually(() => {
        if (running.stdout.split(PROMPT).length < i + 2) throw new Error(running.stdout);
      }, 30_000);
      running.child.stdin?.write(keys);
    }
  }

  it('should ask, compare guesses with observations, keep them, and show damage in red', async () => {
    // While the second lesson asks, the stack of the first one runs.
    await using running = onTerminal(['lost-updates', '01', '--keep', 'right']);
    await answer(running, ['20\r', '\r']);
    await eventually(() => expect(running.stdout.split(PROMPT)).toHaveLength(4), 30_000);
    const isUp = async () => (await npmRunStack('--name', 'lesson', 'ps')).code === 0;
    expect(await isUp()).toBe(true);
    running.child.stdin?.write(CTRL_C);
    const { code, stdout: raw } = await running.ended;
    const stdout = withColorNames(raw);
    expect(code).toBe(130);
    expect(await isUp()).toBe(false);

    expect(stdout).toContain('How many are lost if the session holds the counter?');
    expect(stdout).toMatch(/ +your guess +observed +claimed\r\n/);
    const [, wrong = '', right = ''] = stdout.split(/^ {2}views lost of 200/m);
    const lost = /^ +20 +<red>(\d+)<\/> +at least 20 +✓\r\n/.exec(wrong)?.[1];
    expect(Number(lost), wrong).toBeGreaterThanOrEqual(20);
    expect(right).toMatch(/^ +<green>0<\/> +0 +✓\r\n/);
    expect(stdout).toContain(`you guessed 20; it was ${lost}, ${Number(lost) - 20} more.`);
    expect(stdout.match(/you guessed/g)).toHaveLength(1); // the other question was skipped
    expect(progress()).toEqual({
      exercises: {},
      predictions: {
        'lost-updates': {
          at: expect.any(String),
          guesses: [
            {
              question: expect.stringMatching(/^One visitor sends 200 views at once\. .+\?$/),
              guess: 20,
              observed: Number(lost),
              claimed: 'at least 20',
            },
          ],
        },
      },
    });
  });

  it('should mark a refuted claim apart from good and bad: the right way with the memory store', async () => {
    await using running = onTerminal(['01', '--json'], { SESSION_STORE: 'memory' });
    await answer(running, ['nine\r', '3\r', CTRL_D]);
    const { code, stdout } = await running.ended;
    expect(code).toBe(1);
    const [wrong = '', right = ''] = withColorNames(stdout).split('\nRIGHT  ');
    const ones = '1 1 1 1 1 1 1 1 1';
    const counted = '1 2 3 4 5 6 7 8 9';
    expect(wrong).toContain(`${ones}   <red>${ones}</>   ${ones}   ✓\r`);
    expect(right).toContain(`   <green>${counted}</>   ${counted}   ✓\r`); // services/minimal
    expect(right).toMatch(new RegExp(`  <red>${ones}</> +${counted} +\\S+<yellow>✗ refuted`));
    expect(right).toContain(`WRONG  views, in turn: you guessed ${ones}, and that is right.`);
    const [result] = JSON.parse(stdout.slice(stdout.indexOf('\n[\r\n')));
    expect(result.guesses).toEqual([expect.objectContaining({ guess: ones, observed: ones })]);
  });

  it('should not ask with --no-ask, use no color with NO_COLOR, and keep the wrong way running', async () => {
    const args = ['lost-updates', '--no-ask', '--keep', 'wrong'];
    await using running = onTerminal(args, { NO_COLOR: '1' });
    const visitor = new Visitor(await keptUrl(running));
    const { stdout } = running;
    expect(stdout).not.toContain(PROMPT);
    expect(withColorNames(stdout)).toBe(stdout);
    expect(stdout).toMatch(/^ {2}views lost of 200 +at least 20 +\d+ +✓\r$/m);
    expect(stdout).toMatch(/^✓ .+\.\r$/m);
    expect(existsSync(join(folder, 'progress.json'))).toBe(false);

    await visitor.view();
    await visitor.viewAtOnce(200);
    expect((await visitor.view()).views).toBeLessThan(202);
    running.child.stdin?.write(CTRL_C);
    expect((await running.ended).code).not.toBe(0);
    await expect(visitor.view()).rejects.toThrow('ECONNREFUSED');
  });
});
