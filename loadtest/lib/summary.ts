import { type Run, report } from './report.ts';
import { BASE_URL } from './settings.ts';
import { type Site, servedBy } from './site.ts';
import type { Summary } from './summary-data.ts';
import { textSummary } from './text-summary.ts';

/** The folder for the results; by default where k6 was started. */
const FOLDER = __ENV.RESULTS || '.';
/** The JSON of an earlier run, to compare this one with. */
const before: Run | undefined = __ENV.BEFORE ? JSON.parse(open(__ENV.BEFORE)) : undefined;

/**
 * Makes a script's `handleSummary`: it prints the summary, and writes `NAME.html`, which opens
 * without a network, and `NAME.json`, with which a later run can be compared (`-e BEFORE=FILE`).
 *
 * @param title what the script proves, in one line
 */
export function summaryOf(name: string, title: string) {
  return (data: Summary): Record<string, string> => {
    const countOf = (metric: string) => data.metrics[metric]?.values.count ?? 0;
    const instances = servedBy(data.setup_data as Site | undefined, countOf);
    const metrics = Object.entries(data.metrics).filter(([key]) => !key.startsWith('served_by_'));
    const run: Run = {
      name,
      title,
      at: new Date().toISOString(),
      data: { ...data, metrics: Object.fromEntries(metrics) },
      instances: instances.sort((a, b) => b.requests - a.requests),
    };
    const file = `${FOLDER}/${name}`;
    return {
      stdout: `${textSummary(run.data)}${instanceLines(run)}\n    ${file}.html\n`,
      [`${file}.html`]: report(run, before),
      [`${file}.json`]: JSON.stringify(run),
    };
  };
}

function instanceLines({ instances }: Run): string {
  const total = instances.reduce((sum, { requests }) => sum + requests, 0);
  const lines = instances.map(({ name, requests }) => {
    const share = ((100 * requests) / total).toFixed(1);
    return `    ${`${name}`.padEnd(38, '.')}: ${requests} ${share}%\n`;
  });
  return lines.length === 0 ? '' : `    REQUESTS BY INSTANCE of ${BASE_URL}\n${lines.join('')}`;
}
