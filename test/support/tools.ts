import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { findTools } from '../../tools/lib/programs.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import { findPrograms } from '../../tools/observe/programs.ts';
import { findStacks } from '../../tools/setup/stacks.mjs';

/** Before all tests: finds or installs nginx and Redis once, and if it is required Prometheus. */
export function setup(): void {
  findTools(console.log);
  if (process.env.REQUIRE_PROMETHEUS === '1') findPrograms(console.log);
  // Hundreds of processes of the tests start from the same files, so they compile them only once.
  process.env.NODE_COMPILE_CACHE ??= join(ROOT, 'node_modules/.cache/compiled');
}

/** After all tests: removes the data of stacks whose launcher a test has killed. */
export function teardown(): void {
  for (const { name, folder, kind } of findStacks()) {
    if (kind === 'left over' && name.startsWith('test-')) rmSync(folder, { recursive: true });
  }
}
