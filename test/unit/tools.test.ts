import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findTools } from '../../tools/lib/programs.mjs';

describe('findTools', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-tools-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Puts programs of these names into the only folder that is searched. */
  function provide(...names: string[]): void {
    for (const name of names) {
      writeFileSync(join(folder, name), '#!/bin/sh\n');
      chmodSync(join(folder, name), 0o755);
    }
  }
  const find = () => findTools(() => {}, true, [folder]);

  it('should find Redis and nginx', () => {
    provide('redis-server', 'nginx');
    expect(find()).toEqual({
      redis: join(folder, 'redis-server'),
      nginx: join(folder, 'nginx'),
    });
  });

  it('should take Valkey for Redis', () => {
    provide('valkey-server', 'nginx');
    expect(find().redis).toBe(join(folder, 'valkey-server'));
  });

  it.each([
    ['dnf', 'sudo dnf install valkey nginx'],
    ['apk', 'sudo apk add redis nginx'],
    ['brew', 'brew install redis nginx'],
  ])('should print the command that installs them with %s', (manager, command) => {
    provide(manager, 'nginx');
    expect(find).toThrow(`Redis and nginx are needed. To install them:  ${command}`);
  });

  it('should install nothing if it must not', () => {
    provide('apt-get'); // this one would fail
    const report = vi.fn();
    expect(() => findTools(report, false, [folder])).toThrow(
      'Redis and nginx are needed. To install them:  sudo apt-get install redis-server nginx',
    );
    expect(report).not.toHaveBeenCalled();
  });

  it('should print all commands if it knows no package manager', () => {
    expect(find).toThrow(/apt-get install .* or {2}sudo dnf .* or {2}sudo apk .* or {2}brew/);
  });
});
