import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that run last and one at a time: they measure response times under load. */
const ALONE = [
  'test/native/faults.test.ts',
  'test/loadtest/matrix.test.ts',
  'test/containers/compose.test.ts',
  'test/containers/loadtest.test.ts',
];

/** The longest files. Started last, one would keep a worker busy while the other is idle. */
const LONGEST = [
  'test/workshop/lessons.test.ts',
  'test/browser/dashboard.test.ts',
  'test/native/stack.test.ts',
  'test/containers/lessons.test.ts',
];

/** Starts with the longest files, then keeps vitest's order. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification) =>
      LONGEST.some((name) => moduleId.endsWith(name));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    globalSetup: 'test/support/tools.ts',
    reporters: ['verbose'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Each file runs a stack of several processes. More files at once would overload the machine.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
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
