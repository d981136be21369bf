import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Run } from '../../loadtest/lib/report.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';

/** The result of a load test. */
export interface LoadTest extends Ended {
  /** Its HTML file. */
  html: string;
  /** Its JSON file. */
  run: Run;
}

/**
 * Runs a load test as `npm run loadtest -- NAME` does, always with the project's own runner.
 *
 * @param settings passed with `-e`
 * @param during runs at the same time
 */
export async function loadTest(
  name: string,
  settings: Record<string, string>,
  during?: () => Promise<void>,
): Promise<LoadTest> {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-load-'));
  try {
    const all = Object.entries({ ...settings, RESULTS: folder });
    const words = all.flatMap(([key, value]) => ['-e', `${key}=${value}`]);
    const launcher = join(ROOT, 'loadtest/run.ts');
    const args = [launcher, name, '--with', 'runner', ...words];
    await using running = new Running(process.execPath, args);
    const [ended] = await Promise.all([running.ended, during?.()]);
    const read = (kind: string) => readFileSync(join(folder, `${name}.${kind}`), 'utf8');
    return { ...ended, html: read('html'), run: JSON.parse(read('json')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
