import {
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { newName, ready } from '../support/npm.ts';

describe('npm run dev', () => {
  // The test changes code, so it works on a copy.
  const copy = mkdtempSync(join(tmpdir(), 'shared-state-dev-'));
  const origin = join(copy, 'services/app/cache/origin.ts');
  beforeAll(() => {
    for (const name of [
      'package.json',
      'package-lock.json',
      'services',
      'tools',
      'nginx',
      'redis',
    ]) {
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  it('should restart the instances after each change, and survive a syntax error', async () => {
    const words = ['run', '--silent', 'dev', '--', '--port', '0', '--name', newName()];
    await using running = new Running('npm', words, { ORIGIN_DELAY_MS: '0' }, copy);
    const url = await ready(running);
    const code = readFileSync(origin, 'utf8');
    const expectData = (text: string) =>
      eventually(async () => {
        await send(`${url}/data`, { method: 'DELETE' });
        for (let i = 0; i < 3; i += 1) {
          expect((await send(`${url}/data`)).body).toContain(text);
        }
      }, 20_000);

    writeFileSync(origin, code.replace('the new data', 'what was written'));
    await expectData('This is what was written');

    // many editors replace the file
    writeFileSync(`${origin}.tmp`, code.replace('the new data', 'what was moved'));
    renameSync(`${origin}.tmp`, origin);
    await expectData('This is what was moved');

    writeFileSync(origin, 'this is no TypeScript');
    await eventually(() => expect(running.stderr).toMatch(/app-1 did not start: /));

    writeFileSync(origin, code);
    await expectData('This is the new data');
    running.child.kill('SIGTERM');
    const { code: exitCode, stderr } = await running.ended;
    expect(exitCode, stderr).toBe(0);
  }, 90_000);
});
