import { findTools } from '../../tools/lib/programs.mjs';

/** Before all tests: finds or installs nginx and Redis once. */
export function setup(): void {
  findTools(console.log);
}
