import { defineConfig } from 'vitest/config';

const FAULTS = 'test/native/faults.test.ts';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    globalSetup: 'test/support/tools.ts',
    reporters: ['verbose'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Each file runs a stack of several processes; more at once would only measure the machine.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'proofs', include: ['test/**/*.test.ts'], exclude: [FAULTS] },
      },
      {
        extends: true,
        // After the others and alone: it measures how long replies take under load.
        test: { name: 'faults', include: [FAULTS], sequence: { groupOrder: 1 } },
      },
    ],
  },
});
