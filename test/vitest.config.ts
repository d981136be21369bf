import { defineConfig } from 'vitest/config';

/** Each has the machine for itself, after the others: they measure how long replies take under load. */
const ALONE = [
  'test/native/faults.test.ts',
  'test/loadtest/scripts.test.ts',
  'test/containers/loadtest.test.ts',
  'test/workshop/lessons.test.ts',
];

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
        test: { name: 'proofs', include: ['test/**/*.test.ts'], exclude: ALONE },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
