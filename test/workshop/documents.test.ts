import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.ts';
import { course, load } from '../../workshop/kit/course.ts';
import { outputIn, updated } from '../../workshop/kit/documents.ts';
import { withoutChance } from '../../workshop/kit/report.ts';

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const lessons = course().map((entry) => [entry.name, entry] as const);

describe.each(lessons)('the text of the lesson %s', (_, entry) => {
  const file = join(entry.folder, 'README.md');
  const text = read(file);

  it('should have its parts in their order', () => {
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual([
      'Question',
      'Predict',
      'Run',
      'Observe',
      'Explain',
      'Look at the code',
      'Questions',
    ]);
    expect(text).toMatch(new RegExp(`^# ${entry.number} · \\S`));
    expect(entry.question).toMatch(/\?$/);
    expect(text).toContain(`npm run lesson -- ${entry.name}\n`);
    expect(text).toContain('<details>');
  });

  it('should show the code as the sources have it: npm run lesson -- NAME --docs', () => {
    expect(text).toContain('<!-- code: ');
    expect(updated(text)).toBe(text);
  });

  it('should show the figures of the lesson, and no other', async () => {
    const { wrong, right } = await load(entry);
    const shown = (outputIn(text) ?? '').split('\n').flatMap((line) => {
      const [, name, predicted] = /^ {2}(\S.*?) {3,}(\S.*?) {3,}/.exec(line) ?? [];
      return name ? [[name, predicted]] : [];
    });
    const figures = [wrong, right].flatMap(({ predicted }) => Object.entries(predicted));
    expect(shown).toEqual(figures.map(([name, { text: limit }]) => [name, limit]));
  });
});

describe('the texts of the workshop', () => {
  const files = ['workshop/README.md', ...lessons.map(([, { folder }]) => `${folder}/README.md`)];

  it.each(files)('%s should link to what is there, and name npm scripts that are there', (file) => {
    const text = read(file);
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      expect(existsSync(join(ROOT, dirname(file), target)), target).toBe(true);
    }
    for (const [, script = ''] of text.matchAll(/npm run (?:--silent )?([\w:-]+)/g)) {
      expect(scripts, script).toHaveProperty([script]);
    }
  });

  it('should have every lesson in the plan of the teacher, in their order', () => {
    const plan = [...read('workshop/README.md').matchAll(/\]\((\d\d-[\w-]+)\/README\.md\)/g)];
    expect([...new Set(plan.map(([, folder]) => `workshop/${folder}`))].sort()).toEqual(
      lessons.map(([, { folder }]) => folder),
    );
  });
});

describe('updated', () => {
  const document = (head: string, body: string) =>
    `a\n<!-- ${head} -->\n\`\`\`ts\n${body}\`\`\`\nb\n`;

  it('should put a line, or all up to the closing bracket, or up to a last line', () => {
    const file = 'tools/stack/errors.ts';
    const source = read(file);
    const [first = ''] = /^export class UsageError.*$/m.exec(source) ?? [];
    const whole = updated(document(`code: ${file} | class UsageError`, 'old\n'));
    expect(whole).toContain(first);
    expect(source).toContain(/```ts\n(.*?)\n```/s.exec(whole)?.[1]);
  });

  it('should fail where the source has no such line', () => {
    expect(() => updated(document('code: package.json | no such line', ''))).toThrow(
      'no such line',
    );
  });

  it('should put the output, and leave it where there is none', () => {
    const before = document('output', 'old\n');
    expect(updated(before)).toBe(before);
    expect(updated(before, 'new')).toBe('a\n<!-- output -->\n```text\nnew\n```\nb\n');
  });
});

describe('withoutChance', () => {
  const row = (predicted: string, observed: string, mark = '✓') =>
    `  views lost of 200   ${predicted}   ${observed}   ${mark}`;

  it('should let a figure differ that was predicted as a limit', () => {
    expect(withoutChance(row('at least 20', '152'))).toBe(withoutChance(row('at least 20', '9.5')));
    expect(withoutChance('✓ It lost 152.')).toBe(withoutChance('✓ It lost 9.'));
  });

  it.each([
    ['what was exact', row('0', '0'), row('0', '1')],
    ['what was predicted', row('at least 20', '99'), row('at least 30', '99')],
    ['whether it held', row('at least 20', '99'), row('at least 20', '99', '✗')],
    ['a title', 'WRONG  COUNTER=1', 'WRONG  COUNTER=2'],
  ])('should not let %s differ', (_, one, other) => {
    expect(withoutChance(one)).not.toBe(withoutChance(other));
  });
});
