import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';
import { exercises } from '../../workshop/kit/catalog.ts';

const NAME = 'count-every-view';
const SOURCES = join(ROOT, 'workshop/exercises/02-count-every-view');
const command = (...args: string[]) => ['run', 'exercise', '--silent', '--', ...args];

describe('npm run exercise', () => {
  let folder: string;
  let program: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-exercise-'));
    program = join(folder, `${NAME}.ts`);
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const start = (...args: string[]) =>
    new Running('npm', command(...args), { WORKSHOP_FOLDER: folder });
  async function exercise(...args: string[]): Promise<Ended> {
    await using running = start(...args);
    return await running.ended;
  }
  const own = () => readFileSync(program, 'utf8');
  const original = (file: string) => readFileSync(join(SOURCES, file), 'utf8');

  it('should list the exercises, none of them solved', async () => {
    const { code, stdout } = await exercise();
    expect(code).toBe(0);
    for (const { number, name, question } of exercises()) {
      expect(stdout).toMatch(new RegExp(`^ {2}${number} ${name} +`, 'm'));
      expect(stdout).toContain(question);
    }
    expect(stdout).toContain('\n0 of ');
  });

  it.each([
    [['no-such-exercise'], /no exercise "no-such-exercise"\. Choose one of: share-the-session, /],
    [[NAME, '--hint', '4'], /`--hint` expects a number from 1 to 3/],
    [['--no-such-option'], /--no-such-option/],
  ])('should exit 2 for %j and say why', async (args, reason) => {
    const { code, stderr } = await exercise(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(reason);
  });

  it('should check the program at each save until it is solved', async () => {
    await using running = start(NAME);
    /** Waits for output that comes after the earlier ones. */
    let from = 0;
    const sees = (pattern: RegExp) =>
      eventually(() => {
        const output = running.stdout.slice(from);
        expect(output + running.stderr).toMatch(pattern);
        from += output.search(pattern) + 1;
      }, 30_000);
    await sees(/^ {2}✗ 200 views of one visitor at once are all counted\n +Only \d+ of 200/m);
    await sees(/^Save the program/m);
    expect(own()).toBe(original('start.ts'));

    writeFileSync(program, 'const app = express(;\n');
    await sees(/^ {2}✗ The program starts\n[\s\S]*SyntaxError/m);
    await sees(/^Save the program/m);

    copyFileSync(join(SOURCES, 'solution.ts'), program);
    await sees(/^ {2}✓ 200 views of one visitor at once are all counted: 200 of 200$/m);
    await sees(/^Solved\. .+ in one step\.$/m);
    await sees(/^Next: +npm run exercise -- share-the-session$/m);
    running.child.kill('SIGINT');
    expect((await running.ended).code).not.toBe(0);
  });

  it('should keep what was solved, with its figures, for the participant to take home', async () => {
    expect((await exercise('--status')).stdout).toMatch(/^✓ 02 count-every-view [\s\S]*\n1 of /m);
    const progress = JSON.parse(readFileSync(join(folder, 'progress.json'), 'utf8'));
    expect(progress.exercises).toMatchObject({
      [NAME]: {
        figures: { '200 views of one visitor at once are all counted': '200 of 200' },
      },
    });
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain(': 200 of 200\n');
  });

  it('should start again with --reset, and keep the program of the participant', async () => {
    expect((await exercise(NAME, '--reset')).code).toBe(0);
    expect(own()).toBe(original('start.ts'));
    const old = readFileSync(join(folder, `${NAME}.old.ts`), 'utf8');
    expect(old).toBe(original('solution.ts'));
  });

  it('should exit 1 with --once if the program does not meet a requirement', async () => {
    const { code, stdout } = await exercise(NAME, '--once');
    expect(code).toBe(1);
    expect(stdout).toContain('✗ 200 views of one visitor at once are all counted');
    expect(stdout).not.toContain('Solved');
  });

  it('should show a hint, and how the solution differs', async () => {
    expect((await exercise(NAME, '--hint', '3')).stdout).toContain('`INCR` adds one in Redis');
    const { stdout } = await exercise(NAME, '--solution');
    expect(stdout).toMatch(/^- {2}req\.session\.views = /m);
    expect(stdout).toMatch(/^\+ {2}const \[views\] = await redis\.multi\(\)\.incr/m);
  });
});
