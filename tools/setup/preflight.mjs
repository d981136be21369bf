// @ts-check
// npm run preflight: checks whether the stack will run here, before anything is installed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../lib/root.mjs';
import { checkAll, judge } from './checks.mjs';
import { updateTimes } from './lesson-times.mjs';
import { measure } from './measure.mjs';
import { readRequirements, writeRequirements } from './requirements.mjs';
import { runTask } from './task.mjs';

const USAGE = `npm run preflight              checks whether the stack will run here
npm run preflight -- --json    the same as JSON
npm run preflight -- --measure measures its requirements and the lessons (minutes), and writes
                               requirements.json and the times in workshop/README.md`;

/** @type {Record<string, string>} */
const SIGN = { ok: '✓', warning: '!', error: '✗' };

await runTask(USAGE, async (args) => {
  const { values } = parseArgs({
    args,
    options: { json: { type: 'boolean' }, measure: { type: 'boolean' } },
  });
  if (values.measure) {
    const measured = await measure(readRequirements(), console.error);
    writeRequirements(measured);
    const document = join(ROOT, 'workshop/README.md');
    writeFileSync(document, updateTimes(readFileSync(document, 'utf8'), measured));
  }
  const requirements = readRequirements();
  const { works, ways, checks } = judge(await checkAll(requirements));
  if (values.json) {
    console.log(JSON.stringify({ works, ways, checks, requirements }, null, 2));
  } else {
    for (const { name, state, found, fix } of checks) {
      console.log(`${SIGN[state]} ${name}: ${found}${fix ? `\n    ${fix}` : ''}`);
    }
    console.log(`\n${ways.map(verdict).join('\n')}\n\n${table(requirements)}`);
  }
  if (!works) process.exitCode = 1;
});

/** @param {ReturnType<typeof judge>['ways'][number]} way */
function verdict({ way, blockedBy, downloads }) {
  if (blockedBy.length > 0) return `${way}: not ready, see ${blockedBy.join(', ')}`;
  if (downloads.length > 0) return `${way}: ready after a download, see ${downloads.join(', ')}`;
  return `${way}: ready`;
}

/** @param {import('./requirements.mjs').Requirements} requirements */
function table({ native, containers }) {
  const { date, machine } = native.measured;
  const rows = Object.entries({ natively: native, 'in containers': containers }).map(
    ([way, { memoryMB, downloadMB, diskMB, startSeconds }]) =>
      `${way.padEnd(15)}${memoryMB} MB of memory, ${downloadMB} MB to download, ` +
      `${diskMB} MB on disk, ${startSeconds} s to start`,
  );
  const tests = `${native.testDownloadMB} MB to download, ${native.testDiskMB} MB on disk`;
  return [
    `Requirements, measured ${date} on ${machine}:`,
    ...rows,
    `${'for npm test'.padEnd(15)}${tests}`,
  ].join('\n');
}
