import { findTools } from '../../tools/stack/tools.ts';

/** Before all tests: finds or installs nginx and Redis, once, rather than in each test file. */
export function setup(): void {
  findTools(console.log);
}
