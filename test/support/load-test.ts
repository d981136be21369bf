import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Summary } from '../../loadtest/lib/summary-data.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Ended, Running } from '../../tools/lib/running.ts';

const WITH = process.env.LOADTEST_WITH || 'runner';
/** The image of k6 has only the folder of the scripts. */
const RESULTS = join(ROOT, 'loadtest/results');

/** The result of a load test. */
export interface LoadTest extends Ended {
  /** The data of its summary; `undefined` if it was not written. */
  data: Summary | undefined;
  /** The thresholds that were crossed, such as `checks: rate==1`. */
  crossed: string[];
}

/**
 * Runs a load test as `npm run loadtest -- NAME` does: with the project's own runner, or with what
 * `LOADTEST_WITH` says, so that k6 can be tried by the same tests.
 *
 * @param settings passed with `-e`
 * @param during runs at the same time
 */
export async function loadTest(
  name: string,
  settings: Record<string, string | number>,
  during?: () => Promise<void>,
): Promise<LoadTest> {
  const folder = mkdtempSync(join(RESULTS, 'test-'));
  try {
    const words = Object.entries(settings).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
    const args = [join(ROOT, 'loadtest/run.ts'), name, '--with', WITH, ...words];
    await using running = new Running(process.execPath, [...args, '-e', `RESULTS=${folder}`]);
    const [ended] = await Promise.all([running.ended, during?.()]);
    const [file] = [`${name}.json`, `${name}.failed.json`].filter((one) =>
      existsSync(join(folder, one)),
    );
    const data = file && JSON.parse(readFileSync(join(folder, file), 'utf8'));
    return { ...ended, data, crossed: data ? crossedIn(data) : [] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The thresholds that were crossed. */
function crossedIn({ metrics }: Summary): string[] {
  return Object.entries(metrics).flatMap(([name, { thresholds = {} }]) =>
    Object.keys(thresholds)
      .filter((source) => !thresholds[source]?.ok)
      .map((source) => `${name}: ${source}`),
  );
}
