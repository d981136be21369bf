// node test/bench/measures/main.ts [NAME...] [--json FILE]: measures, and says what misses its target.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { failure } from '../../../services/stack/commands.ts';
import { UsageError } from '../../../services/stack/errors.ts';
import { type Figure, isMet } from './figure.ts';
import { type Measurement, measurements } from './index.ts';
import { table } from './table.ts';

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'string' } },
  });
  const figures: Figure[] = [];
  const broken: string[] = [];
  for (const { name, measure } of choose(positionals)) {
    console.log(`measuring ${name} ...`);
    try {
      figures.push(...(await measure()));
    } catch (err) {
      broken.push(`${name} broke: ${(err as Error).message}`);
    }
  }
  console.log(`\n${table(figures)}`);
  for (const line of broken) console.error(line);
  if (values.json) writeFileSync(values.json, JSON.stringify({ figures, broken }, null, 2));
  const isMissed = figures.some((figure) => isMet(figure) === false);
  process.exit(isMissed || broken.length > 0 ? 1 : 0);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

function choose(names: string[]): Measurement[] {
  const known = measurements.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`${unknown}: there are only ${known.join(', ')}`);
  }
  return measurements.filter(({ name }) => names.length === 0 || names.includes(name));
}
