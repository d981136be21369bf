import { BASE_URL } from './settings.ts';
import type { Metric, Summary } from './summary-data.ts';
import { isMeasured, textSummary } from './text-summary.ts';

/** The folder for the results; by default the working directory of k6. */
const FOLDER = __ENV.RESULTS || '.';

/** The options of a script that say how long it runs. */
interface Plan {
  scenarios: Record<
    string,
    { executor: string; duration?: string; stages?: { duration: string }[] }
  >;
}

/**
 * Makes the `handleSummary` of a script. It prints the verdict and the figures, and writes the data
 * to `NAME.json`. A run that did not pass is written to `NAME.failed.json`, so the last good result
 * remains.
 *
 * @param claim what the script proves, in one line
 * @param more further lines, worked out from the data
 */
export function summaryOf(
  name: string,
  claim: string,
  plan: Plan,
  more: (data: Summary) => string[] = () => [],
) {
  return (data: Summary): Record<string, string> => {
    // With --new-machine-readable-summary k6 passes data that has no thresholds.
    if (!data.metrics) throw new Error('run k6 with --new-machine-readable-summary=false');
    const problem = problemOf(data, plan);
    const verdict = problem ? `✗ ${name} ${problem}` : `✓ ${name} passed: ${claim}`;
    const lines = [`${verdict}, at ${BASE_URL}`, ...more(data)].map((line) => `  ${line}\n`);
    const file = `${FOLDER}/${name}${problem ? '.failed' : ''}.json`;
    return {
      stdout: `${textSummary(data)}${lines.join('')}`,
      [file]: JSON.stringify({ name, claim, at: new Date().toISOString(), problem, ...data }),
    };
  };
}

/** Why the run proves nothing; `undefined` if it passed. */
function problemOf(data: Summary, plan: Plan): string | undefined {
  const planned = Math.max(0, ...Object.values(plan.scenarios).map(secondsOf));
  const seconds = data.state.testRunDurationMs / 1000;
  const judged = Object.values(data.metrics).filter(({ thresholds = {} }) => !isEmpty(thresholds));
  if (judged.length === 0) return 'was not judged: there are no thresholds';
  if (!judged.every(holds)) return 'failed';
  if (seconds < 0.95 * planned)
    return `was interrupted after ${seconds.toFixed(1)} of ${planned} s`;
  return undefined;
}

function holds(metric: Metric): boolean {
  return isMeasured(metric) && Object.values(metric.thresholds ?? {}).every(({ ok }) => ok);
}

function secondsOf({ duration = '0s', stages = [] }: Plan['scenarios'][string]): number {
  const all = [duration, ...stages.map((stage) => stage.duration)];
  return all.reduce((sum, text) => sum + Number.parseFloat(text), 0);
}

function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0;
}
