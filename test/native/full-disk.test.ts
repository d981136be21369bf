import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { ready } from '../support/npm.ts';

const disk = mkdtempSync(join(tmpdir(), 'shared-state-disk-'));
const filler = join(disk, 'filler');
const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]);

/** Appends to a file until not even its last block takes a byte. */
function fill(file: string): void {
  for (let bytes = 1 << 20; bytes >= 1; bytes >>= 1) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(bytes));
    } catch {
      // not so many bytes are left
    }
  }
}

const run = (program: string, ...words: string[]) =>
  new Running(process.execPath, [join(ROOT, 'tools/stack', program), ...words], { TMPDIR: disk });

const start = () => run('main.ts', '--port', '0', '--scale', '1');

const folder = join(disk, `shared-state-${process.getuid?.()}`, 'default');

describe.skipIf(mount.status !== 0)('a disk of its own (skipped unless root can mount one)', () => {
  afterAll(() => {
    spawnSync('umount', [disk]);
    rmdirSync(disk);
  });

  it('should refuse a start in one line if it is full', async () => {
    fill(filler);
    await using running = start();
    const { code, stderr } = await running.ended;
    rmSync(filler);
    expect(stderr).toMatch(
      /^The disk of \S+ is full: it has 0 MB left; delete files there, or set TMPDIR to another folder\.\n$/,
    );
    expect(code).toBe(1);
  });

  describe('with a stack', () => {
    let running: Running;
    let url: string;
    beforeAll(async () => {
      running = start();
      url = await ready(running);
    });
    afterAll(async () => {
      running.child.kill('SIGTERM');
      await running.ended;
    });

    it('should keep its stack and its data if it becomes full', async () => {
      const visitor = new Visitor(url);
      expect(await visitor.view()).toMatchObject({ views: 1 });
      for (const file of [filler, join(folder, 'app-1.log')]) fill(file);
      await using killed = run('cli.ts', 'kill', 'app-1');
      expect(await killed.ended).toMatchObject({ stdout: 'app-1 dead\n' });
      await using started = run('cli.ts', 'start', 'app-1'); // writes lines to its log
      expect(await started.ended).toMatchObject({ stdout: 'app-1 ready\n' });
      rmSync(filler);
      await eventually(async () => expect((await visitor.view()).views).toBeGreaterThan(1));
    });

    it('should not be filled by logs', async () => {
      for (const name of ['access.log', 'app-1.log']) {
        appendFileSync(join(folder, name), Buffer.alloc(9_000_000));
      }
      for (const name of ['access.log', 'app-1.log']) {
        await eventually(() => expect(statSync(join(folder, name)).size).toBeLessThan(1_000_000));
      }
      await send(`${url}/after`);
      await eventually(() => expect(statSync(join(folder, 'access.log')).size).toBeGreaterThan(0));
      expect(statSync(join(folder, 'access.log')).size).toBeLessThan(10_000); // without a hole
    });
  });
});
