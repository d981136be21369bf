import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkSections, type Table, writeSection } from '../lib/report.ts';
import { COSTS } from './costs.ts';
import { describeForecast, show } from './describe.ts';
import { carriedBy } from './model.ts';
import { OPTIONS, readDemand } from './options.ts';

const EXAMPLE = /(?<=```sh\nnpm run capacity --(.*)\n```\n\n```text\n)[\s\S]*?(?=\n```)/g;

/**
 * Runs the commands in a document again, and replaces their output and the tables of the model.
 *
 * @throws {UsageError} if the document lacks the marks of a table
 */
export function fillDocument(file: string): void {
  checkSections(file, ['costs', 'carries']);
  writeSection(file, 'costs', 'The constants of the model:', costsTable());
  writeSection(file, 'carries', 'Calculated by the model:', carriesTable());
  const text = readFileSync(file, 'utf8').replace(EXAMPLE, (_, words: string) => outputOf(words));
  writeFileSync(file, text);
}

/** The output of `npm run capacity` with these words. */
function outputOf(words: string): string {
  const args = words.split(' ').filter(Boolean);
  return describeForecast(readDemand(parseArgs({ args, options: OPTIONS }).values));
}

function costsTable(): Table {
  const rows = Object.entries(COSTS).map(([name, { value, unit, range }]) => [
    name,
    `${value} ${unit}`,
    range.join('–'),
  ]);
  return { head: ['cost', 'model', 'measured'], rows };
}

/** What a Redis carries, and what it needs around it. */
function carriesTable(): Table {
  const systems: [name: string, shards: number, replicas: number][] = [
    ['one Redis', 1, 0],
    ['Sentinels, 2 replicas', 1, 2],
    ...[3, 10, 30].map((k): [string, number, number] => [`${k} shards, 1 replica each`, k, 1]),
  ];
  const rows = systems.map(([name, shards, replicas]) => {
    const carried = carriedBy({ ...readDemand({}), shards, replicas });
    const { views, sessions, instances, nginxCores } = carried;
    return [name, ...[views, sessions, instances, nginxCores].map(show)];
  });
  return { head: ['Redis', 'views/s', 'sessions', 'instances', 'cores of nginx'], rows };
}
