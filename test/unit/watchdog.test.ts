import { existsSync, mkdtempDisposableSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { listProcesses } from '../../tools/lib/processes.mjs';
import { Watchdog } from '../../tools/stack/watchdog.ts';

it('should remove its folder before close() resolves, and accept a second close()', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-watchdog-'));
  const watchdog = new Watchdog(folder);
  await watchdog.close();
  expect(existsSync(folder)).toBe(false);
  await watchdog.close();
});

it('should report its death', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'shared-state-watchdog-'));
  const lines: string[] = [];
  const watchdog = new Watchdog(folder.path, (line) => lines.push(line));
  const isIts = ({ command }: { command: string }) => command.endsWith(folder.path);
  const [pid = 0] = [...listProcesses()].find(([, process]) => isIts(process)) ?? [];
  process.kill(pid, 'SIGKILL');
  await eventually(() => expect(lines).toEqual([expect.stringContaining('dead (SIGKILL)')]));
  await watchdog.close();
});
