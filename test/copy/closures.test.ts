import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { closureOf, copyTable, filesImportedBy, pieces, tableIn } from '../../tools/copy-table.ts';
import { PRODUCTION_ONLY } from '../../tools/lib/packages.mjs';
import { ROOT } from '../../tools/lib/root.mjs';

const closureOfPiece = (path: string) => {
  const piece = pieces.find((candidate) => candidate.path === path);
  if (!piece) throw new Error(`no piece ${path}`);
  return closureOf(piece.entries);
};

describe('what comes with a piece that is copied', () => {
  const http = pieces.map(({ path }) => path).filter((path) => path.includes('/http/'));

  it.each(http)('should be at most 2 files and 150 lines in all with %s', (path) => {
    const { files, lines } = closureOfPiece(path);
    expect(files.length, files.join(', ')).toBeLessThanOrEqual(1 + 2);
    expect(lines).toBeLessThanOrEqual(150);
  });

  it('should be at most 9 files and 750 lines for the sessions', () => {
    const { files, lines } = closureOfPiece('services/shared/session/');
    expect(files.length, files.join(', ')).toBeLessThanOrEqual(9);
    expect(lines).toBeLessThanOrEqual(750);
  });

  it('should be at most 8 files and 700 lines for the sessions of users', () => {
    const { files, lines } = closureOfPiece('services/shared/user/user-sessions.ts');
    expect(files.length, files.join(', ')).toBeLessThanOrEqual(8);
    expect(lines).toBeLessThanOrEqual(700);
  });

  it('should be at most 8 files for the cache, and nothing of sessions', () => {
    const { files, packages } = closureOfPiece('services/app/cache/cache.ts');
    expect(files.length, files.join(', ')).toBeLessThanOrEqual(8);
    expect(files.filter((path) => path.includes('session'))).toEqual([]);
    expect(packages).not.toContain('express-session');
  });

  it('should be no other file for minimal, which has at most 50 lines', () => {
    const path = 'services/minimal/main.ts';
    expect(closureOfPiece(path).files).toEqual([path]);
    expect(readFileSync(join(ROOT, path), 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(
      50,
    );
  });

  it('should be what the README says', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    expect(tableIn(readme), 'run: node tools/copy-table.ts --write').toBe(copyTable());
  });
});

describe('the imports of the project', () => {
  const { stdout } = spawnSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const files = stdout
    .split('\n')
    .filter((path) => /\.(ts|mjs|js)$/.test(path) && existsSync(join(ROOT, path)));
  /** Each import from the first folder into the second, as `file → file`. */
  const arrows = (from: string, to: string) =>
    files
      .filter((path) => path.startsWith(from))
      .flatMap((path) => filesImportedBy(path).map((imported) => [path, imported] as const))
      .filter(([, imported]) => imported.startsWith(to))
      .map((arrow) => arrow.join(' → '));

  it('should be found', () => {
    expect(files.length).toBeGreaterThan(150);
    expect(arrows('services/app/main.ts', 'services/app/')).toContain(
      'services/app/main.ts → services/app/app.ts',
    );
    expect(arrows('test/', 'test/support/').length).toBeGreaterThan(20);
  });

  it('should not lead into test/ from outside', () => {
    expect(arrows('', 'test/').filter((arrow) => !arrow.startsWith('test/'))).toEqual([]);
  });

  it('should not lead from services/app to services/dashboard', () => {
    expect(arrows('services/app/', 'services/dashboard/')).toEqual([]);
  });

  it('should lead from services/dashboard to nothing of services/app but the heartbeat record', () => {
    const targets = arrows('services/dashboard/', 'services/app/').map(
      (arrow) => arrow.split(' → ')[1],
    );
    expect(new Set(targets)).toEqual(new Set(['services/app/heartbeat/record.ts']));
  });

  it('should not lead from services/shared or services/minimal to another service', () => {
    const allowed = /→ services\/(shared|minimal)\//;
    const others = [...arrows('services/shared/', 'services/'), ...arrows('services/minimal/', '')];
    expect(others.filter((arrow) => !allowed.test(arrow))).toEqual([]);
  });

  it('should need no package for development in what participants run', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const others = (folder: string) =>
      closureOf(files.filter((path) => path.startsWith(folder))).packages.filter(
        (name) => !(name in dependencies) && name !== 'k6', // its runner has those modules
      );
    for (const folder of [...PRODUCTION_ONLY, 'services/']) {
      expect(others(folder), folder).toEqual([]);
    }
    expect(others('tools/bench/')).toEqual(['autocannon', 'playwright-core']);
  });

  it('should have no cycle', () => {
    const done = new Set<string>();
    const follow = (path: string, way: string[]): void => {
      if (way.includes(path)) throw new Error(`cycle: ${[...way, path].join(' → ')}`);
      if (done.has(path)) return;
      for (const imported of filesImportedBy(path)) follow(imported, [...way, path]);
      done.add(path);
    };
    for (const path of files.filter((name) => /^(services|tools)\//.test(name))) follow(path, []);
    expect(done.size).toBeGreaterThan(100);
  });
});
