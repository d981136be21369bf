import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';
import { catalog } from '../../workshop/kit/catalog.ts';
import { documentedOutput, maskVariableFigures } from '../support/lesson-output.ts';

/** A lesson as `--json` prints it. */
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

  it('should run every lesson, in order', () => {
    expect(printed.map(({ name }) => name)).toEqual(catalog().map(({ name }) => name));
    expect(printed).toHaveLength(16);
  });

  describe.each(catalog().map((entry, i) => [entry.name, entry, i] as const))(
    '%s',
    (_, entry, i) => {
      it('should match its claim', () => {
        expect(printed[i], reports[i]).toMatchObject({ name: entry.name, ok: true });
      });

      it('should observe figures of both ways', () => {
        expect(Object.keys(printed[i]?.wrong ?? {})).not.toEqual([]);
        expect(Object.keys(printed[i]?.right ?? {})).not.toEqual([]);
      });

      it('should print the output that its README shows', () => {
        const text = readFileSync(join(ROOT, entry.folder, 'README.md'), 'utf8');
        expect(maskVariableFigures(reports[i]?.trim() ?? '')).toBe(
          maskVariableFigures(documentedOutput(text).trim()),
        );
      });
    },
  );

  it('should exit 0', () => {
    expect(ended.code, ended.stderr).toBe(0);
  });
});
