import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/tools.ts',
    reporters: ['verbose'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Each file runs a stack of several processes; more at once would only measure the machine.
    maxWorkers: 2,
  },
});
