import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tools } from '../stack/tools.ts';
import { Watchdog } from '../stack/watchdog.ts';
import type { Contestant } from './contestants.ts';
import { type Measurement, orderOf } from './figures.ts';
import { type Generator, type Job, putLoad } from './load.ts';
import { Runner } from './runner.ts';
import { type Site, startSite } from './site.ts';

/** Seconds of load before the first round, for V8 to compile what is used most. */
const WARM_UP_SECONDS = 3;

/** How all contestants are measured. */
export interface ContestOptions {
  rounds: number;
  /** For each measurement. */
  seconds: number;
  generator: Generator;
}

/**
 * Starts all contestants, warms each up, and measures them in turn, round by round.
 *
 * @throws {StackError} where a reply is not 200, or there is none
 */
export async function holdContest(
  chosen: readonly Contestant[],
  { rounds, seconds, generator }: ContestOptions,
  tools: Tools,
  report: (line: string) => void,
): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), 'shared-state-bench-'));
  chmodSync(folder, 0o711); // for the workers of nginx, which are another user when it runs as root
  const context = { folder, watchdog: new Watchdog(folder), report };
  const load = (job: Job) => putLoad(generator, job, context.watchdog);
  const sites = new Map<string | undefined, Site>(); // by program: those of this project share one
  const runners: Runner[] = [];
  for (const contestant of chosen) {
    const { name, program } = contestant;
    const site = sites.get(program) ?? (await startSite(contestant, tools, context));
    sites.set(program, site);
    const runner = new Runner(contestant, site, load);
    await runner.warmUp(WARM_UP_SECONDS);
    report(`${name} is warm`);
    runners.push(runner);
  }
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const runner of orderOf(runners, round - 1)) {
      const measurement = await runner.measure(round, seconds);
      const { name, requestsPerSecond } = measurement;
      report(`round ${round}: ${name} ${requestsPerSecond.toFixed(0)} requests/s`);
      measurements.push(measurement);
    }
  }
  for (const site of sites.values()) await site.close();
  await context.watchdog.close();
  return measurements;
}
