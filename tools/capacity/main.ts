// npm run capacity: calculates what a load needs, and which part ends first.
import { parseArgs } from 'node:util';
import { failure } from '../lib/errors.mjs';
import { describeForecast } from './describe.ts';
import { fillDocument } from './documents.ts';
import { HELP, joinNegative, OPTIONS, readDemand } from './options.ts';

try {
  const { values } = parseArgs({ args: joinNegative(process.argv.slice(2)), options: OPTIONS });
  if (values.help) console.log(HELP);
  else if (values.docs) fillDocument(values.docs);
  else console.log(describeForecast(readDemand(values)));
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exitCode = exitCode;
}
