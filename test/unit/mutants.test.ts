import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { mutants } from '../../tools/mutants/list.ts';
import { applyMutant } from '../../tools/mutants/mutants.ts';

describe('npm run mutants', () => {
  it('should have unique names', () => {
    const names = mutants.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
  });

  it.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
    'should find the place of %s, and its test',
    (_name, mutant) => {
      const content = readFileSync(join(ROOT, mutant.file), 'utf8');
      expect(applyMutant(mutant, content)).not.toBe(content);
      expect(existsSync(join(ROOT, mutant.test))).toBe(true);
    },
  );

  it('should refuse a place that does not occur once', () => {
    const mutant = { name: 'x', file: 'y', find: 'a', replace: 'b', test: 'z' };
    expect(() => applyMutant(mutant, 'c')).toThrow('does not occur once in y');
    expect(() => applyMutant(mutant, 'aa')).toThrow('does not occur once in y');
  });
});
