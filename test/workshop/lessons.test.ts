import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.ts';
import { type Ended, Running } from '../../tools/lib/running.ts';
import { course } from '../../workshop/kit/course.ts';
import { outputIn } from '../../workshop/kit/documents.ts';
import { withoutChance } from '../../workshop/kit/report.ts';

/** What `--json` prints of a lesson. */
interface Printed {
  name: string;
  claim: string;
  wrong: Record<string, number | string>;
  right: Record<string, number | string>;
  ok: boolean;
}

const ALL_MS = 600_000;

describe('npm run lesson -- --all --json', () => {
  let ended: Ended;
  let printed: Printed[] = [];
  let reports: string[] = [];
  beforeAll(async () => {
    await using running = new Running('npm', [
      'run',
      'lesson',
      '--silent',
      '--',
      '--all',
      '--json',
    ]);
    ended = await running.ended;
    printed = JSON.parse(ended.stdout);
    reports = ended.stderr.split(/^\d\d [\w-]+: .*\n\n/m).slice(1);
  }, ALL_MS);

  it('should run every lesson, in their order', () => {
    expect(printed.map(({ name }) => name)).toEqual(course().map(({ name }) => name));
    expect(printed).toHaveLength(14);
  });

  describe.each(course().map((entry, i) => [entry.name, entry, i] as const))(
    '%s',
    (_, entry, i) => {
      it('should be as the text claims', () => {
        expect(printed[i], reports[i]).toMatchObject({ name: entry.name, ok: true });
      });

      it('should show figures of both ways', () => {
        expect(Object.keys(printed[i]?.wrong ?? {})).not.toEqual([]);
        expect(Object.keys(printed[i]?.right ?? {})).not.toEqual([]);
      });

      it('should print what its text shows', () => {
        const text = readFileSync(join(ROOT, entry.folder, 'README.md'), 'utf8');
        expect(withoutChance(reports[i]?.trim() ?? '')).toBe(
          withoutChance(outputIn(text)?.trim() ?? ''),
        );
      });
    },
  );

  it('should exit 0', () => {
    expect(ended.code, ended.stderr).toBe(0);
  });
});
