import { describe, expect, it } from 'vitest';
import { audit, staleReplies } from '../../tools/faults/audit-log.ts';
import type { Outcome } from '../../tools/faults/load.ts';

/** Replies with the given numbers, plus `failed` requests without a reply. */
function outcomes(numbers: number[], failed = 0): Outcome[] {
  const common = { request: 'GET /', session: 0, from: 0, ms: 1 } as const;
  return [
    ...numbers.map((number) => ({ ...common, status: 200, number })),
    ...Array.from({ length: failed }, () => ({ ...common, status: 0 })),
  ];
}

describe('audit', () => {
  it.each([
    ['every number once', [1, 2, 3], 0, 3, { lost: 0, countedTwice: 0 }],
    ['a gap that a failed request explains', [1, 3], 1, 3, { lost: 0, countedTwice: 0 }],
    ['a failed request that was not applied', [1, 2], 1, 2, { lost: 0, countedTwice: 0 }],
    ['a counter behind the replies', [1, 2, 3], 0, 2, { lost: 1, countedTwice: 0 }],
    ['a number returned twice', [1, 2, 2], 0, 2, { lost: 1, countedTwice: 1 }],
    ['an unexplained gap', [1, 3], 0, 3, { lost: 0, countedTwice: 1 }],
    ['more counted than requested', [1, 2], 1, 4, { lost: 0, countedTwice: 1 }],
  ])('should audit %s', (_name, numbers, failed, final, expected) => {
    expect(audit(outcomes(numbers, failed), final)).toEqual(expected);
  });
});

describe('staleReplies', () => {
  const invalidation: Outcome = {
    ...{ request: 'DELETE /data', session: 0, from: 1000, ms: 20, status: 204 },
  };
  const reply = (from: number, madeAt: number): Outcome => ({
    ...{ request: 'GET /data', session: 0, from, ms: 1, status: 200, madeAt },
  });

  it.each([
    ['older data, later than 100 ms after the answer', reply(1121, 900), invalidation, 1],
    ['older data, sooner than that', reply(1119, 900), invalidation, 0],
    ['data made since', reply(1121, 1001), invalidation, 0],
    [
      'older data after a refused invalidation',
      reply(1121, 900),
      { ...invalidation, status: 503 },
      0,
    ],
  ])('should find %s: %#', (_name, after, before, stale) => {
    expect(staleReplies([before, after], () => false)).toHaveLength(stale);
  });

  it('should not count an invalidation that may be lost', () => {
    expect(staleReplies([invalidation, reply(1121, 900)], () => true)).toEqual([]);
  });
});
