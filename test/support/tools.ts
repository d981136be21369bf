import { rmSync } from 'node:fs';
import { findTools } from '../../tools/lib/programs.mjs';
import { findStacks } from '../../tools/setup/stacks.mjs';

/** Before all tests: finds or installs nginx and Redis once. */
export function setup(): void {
  findTools(console.log);
}

/** After all tests: removes the data of stacks whose launcher a test has killed. */
export function teardown(): void {
  for (const { name, folder, kind } of findStacks()) {
    if (kind === 'left over' && name.startsWith('test-')) rmSync(folder, { recursive: true });
  }
}
