import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that run last and one at a time: they measure response times under load. When an engine
 * leaves a swarm, the networks of all its containers are interrupted.
 */
const ALONE = [
  'test/native/faults.test.ts',
  'test/loadtest/matrix.test.ts',
  'test/containers/compose.test.ts',
  'test/containers/swarm.test.ts',
  'test/containers/loadtest.test.ts',
];

/**
 * The order of files; `''` is all others. The longest ones come first: started last, one would keep
 * a worker busy while the other is idle. Containers come last, long after the browsers: when a
 * network of Docker appears or goes, Chromium ends all requests (ERR_NETWORK_CHANGED).
 */
const ORDER = [
  'test/browser/dashboard',
  'test/workshop/lessons',
  'test/workshop/exercises',
  'test/browser/',
  'test/native/stack',
  '',
  'test/containers/',
];

/** Tests of the processes of one Redis, or of a topology of their own. */
const NEED_ONE_REDIS = [
  'bench',
  'cluster',
  'deadline',
  'dev',
  'ending',
  'eviction',
  'faults',
  'full-disk',
  'install',
  'least-privilege',
  'metrics',
  'minimal',
  'observe',
  'other-instance',
  'outage',
  'process',
  'program',
  'redis-',
  'stack',
  'start-failures',
  'store-failures',
].map((name) => `test/native/${name}*`);
const excluded = process.env.REDIS_TOPOLOGY ? NEED_ONE_REDIS : [];

/** Keeps vitest's order within each part of {@link ORDER}. */
class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = ORDER.findIndex((part) => part !== '' && moduleId.includes(part));
      return place < 0 ? ORDER.indexOf('') : place;
    };
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => placeOf(a) - placeOf(b));
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
    sequence: { sequencer: InOrder },
    projects: [
      {
        extends: true,
        test: { name: 'proofs', include: ['test/**/*.test.ts'], exclude: [...ALONE, ...excluded] },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          exclude: excluded,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
