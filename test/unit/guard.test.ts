import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Guard } from '../../tools/stack/guard.ts';

it('should be done with its folder when it is closed, or else it would remove the next one there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-guard-'));
  const guard = new Guard(folder);
  await guard.close();
  expect(existsSync(folder)).toBe(false);
  await guard.close(); // once more does no harm
});
