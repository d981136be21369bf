// @ts-check
// npm run preflight: whether the stack will run here, before anything is installed.
import { parseArgs } from 'node:util';
import { checkAll, judge } from './checks.mjs';
import { measure } from './measure.mjs';
import { readNeeds, writeNeeds } from './needs.mjs';
import { runTask } from './task.mjs';

const USAGE = `npm run preflight              whether the stack will run here, and what is missing
npm run preflight -- --json    the same for machines
npm run preflight -- --measure measures again what it needs, takes minutes, and changes needs.json`;

/** @type {Record<string, string>} */
const SIGN = { well: '✓', lacking: '!', broken: '✗' };

await runTask(USAGE, async (words) => {
  const { values } = parseArgs({
    args: words,
    options: { json: { type: 'boolean' }, measure: { type: 'boolean' } },
  });
  if (values.measure) writeNeeds(await measure(console.error));
  const needs = readNeeds();
  const { works, ways, checks } = judge(await checkAll(needs));
  if (values.json) {
    console.log(JSON.stringify({ works, ways, checks, needs }, null, 2));
  } else {
    for (const { name, state, found, mend } of checks) {
      console.log(`${SIGN[state]} ${name}: ${found}`);
      if (mend) console.log(`    ${mend}`);
    }
    console.log();
    for (const verdict of ways) console.log(tell(verdict));
    console.log(`\n${table(needs)}`);
  }
  if (!works) process.exitCode = 1;
});

/** @param {ReturnType<typeof judge>['ways'][number]} verdict */
function tell({ way, stoppedBy, waitsFor }) {
  if (stoppedBy.length > 0) return `${way}: not ready, see ${stoppedBy.join(', ')}`;
  if (waitsFor.length > 0) return `${way}: ready after a download, see ${waitsFor.join(', ')}`;
  return `${way}: ready`;
}

/** @param {import('./needs.mjs').Needs} needs */
function table({ native, containers, measured }) {
  const rows = [
    ['what it needs', 'memory', 'download', 'disk', 'start'],
    ...[
      { way: 'natively', ...native },
      { way: 'in containers', ...containers },
    ].map(({ way, memoryMB, downloadMB, diskMB, startSeconds }) => [
      way,
      `${memoryMB} MB`,
      `${downloadMB} MB`,
      `${diskMB} MB`,
      `${startSeconds} s`,
    ]),
  ];
  const lines = rows.map((row) =>
    row
      .map((cell) => cell.padEnd(15))
      .join('')
      .trimEnd(),
  );
  return [
    ...lines,
    `measured ${measured.date} on ${measured.machine}, with a load of ${measured.load};`,
    `images: ${containers.images.join(', ')}`,
  ].join('\n');
}
