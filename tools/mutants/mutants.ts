/** A plausible mistake: one place of the code, changed. */
export interface Mutant {
  name: string;
  file: string;
  /** Occurs once in the file. */
  find: string;
  replace: string;
  /** The test file that notices the mistake. */
  test: string;
  /** Only the tests whose names match this pattern are run. */
  only?: string;
}

/**
 * Puts a mistake into the content of its file.
 *
 * @throws {Error} if the place does not occur once
 */
export function applyMutant({ name, file, find, replace }: Mutant, content: string): string {
  const [before, after, ...more] = content.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`mutant ${name}: ${JSON.stringify(find)} does not occur once in ${file}`);
  }
  return before + replace + after;
}

/** All mutants. Some went unnoticed until a review tried them. */
export const mutants: Mutant[] = [
  {
    name: 'lock-renewed-by-loser',
    file: 'services/app/cache/scripts.ts',
    find: "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE'",
    replace: "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('PEXPIRE'",
    test: 'test/unit/cache.test.ts',
    only: 'a load',
  },
  {
    name: 'lock-released-by-loser',
    file: 'services/app/cache/scripts.ts',
    find: "if text(KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end",
    replace: "redis.call('DEL', KEYS[2])",
    test: 'test/unit/cache.test.ts',
    only: 'a load',
  },
  {
    name: 'watermark-ignored',
    file: 'services/app/cache/scripts.ts',
    find: 'tokenAt(KEYS[3]) < token and tokenOf(KEYS[1]) < token',
    replace: 'tokenOf(KEYS[1]) < token',
    test: 'test/unit/cache.test.ts',
    only: 'a load',
  },
  {
    name: 'outdated-load-awaited',
    file: 'services/app/cache/scripts.ts',
    find: 'local isCurrent = holder > watermark or awaited > 0 and holder >= awaited',
    replace: 'local isCurrent = true',
    test: 'test/unit/cache.test.ts',
    only: 'a load',
  },
  {
    name: 'failure-not-shared',
    file: 'services/app/cache/cache.ts',
    find: 'const outcome = err instanceof OriginFailed ? encodeFailure(token) : undefined;',
    replace: 'const outcome = undefined;',
    test: 'test/unit/cache.test.ts',
    only: 'an origin that fails',
  },
  {
    name: 'load-abandoned-by-others',
    file: 'services/app/cache/cache.ts',
    find: 'if (signal.aborted && !isAwaited)',
    replace: 'if (signal.aborted)',
    test: 'test/unit/cache.test.ts',
    only: 'a load',
  },
  {
    name: 'load-never-abandoned',
    file: 'services/app/cache/cache.ts',
    find: "signal.addEventListener('abort', renew);",
    replace: '',
    test: 'test/unit/cache.test.ts',
    only: 'a load',
  },
  {
    name: 'no-jitter',
    file: 'services/app/cache/cache.ts',
    find: 'ttl * (1 - JITTER * Math.random())',
    replace: 'ttl',
    test: 'test/unit/cache.test.ts',
    only: 'expiry',
  },
  {
    name: 'local-entry-trusted-forever',
    file: 'services/app/cache/local-cache.ts',
    find: 'if (now > this.#trustedUntil || now > cached.staleUntil) return undefined;',
    replace: 'if (now > cached.staleUntil) return undefined;',
    test: 'test/unit/cache.test.ts',
    only: 'the local cache',
  },
  {
    name: 'one-session-always-true',
    file: 'loadtest/continuity.ts',
    find: 'new Set(seen.map(({ session }) => session)).size === 1',
    replace: 'true',
    test: 'test/loadtest/scripts.test.ts',
    only: 'wrong ways',
  },
  {
    name: 'one-instance-is-enough',
    file: 'loadtest/continuity.ts',
    find: 'const INSTANCES = 3;',
    replace: 'const INSTANCES = 1;',
    test: 'test/loadtest/scripts.test.ts',
    only: 'wrong ways',
  },
];
