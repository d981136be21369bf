import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Watchdog } from '../../tools/stack/watchdog.ts';

it('should remove its folder before close() resolves, and accept a second close()', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-watchdog-'));
  const watchdog = new Watchdog(folder);
  await watchdog.close();
  expect(existsSync(folder)).toBe(false);
  await watchdog.close();
});
