import { describe, expect, it } from 'vitest';
import { audit } from '../../tools/faults/ledger.ts';
import type { Outcome } from '../../tools/faults/load.ts';

/** Replies that gave these numbers, and requests that failed. */
function outcomes(numbers: number[], failed = 0): Outcome[] {
  const asked = { request: 'GET /', session: 0, from: 0, ms: 1 } as const;
  return [
    ...numbers.map((number) => ({ ...asked, status: 200, number })),
    ...Array.from({ length: failed }, () => ({ ...asked, status: 0 })),
  ];
}

describe('audit', () => {
  it.each([
    ['every number once', [1, 2, 3], 0, 3, { lost: 0, doubled: 0 }],
    ['a gap that a failed request explains', [1, 3], 1, 3, { lost: 0, doubled: 0 }],
    ['a failed request that was not applied', [1, 2], 1, 2, { lost: 0, doubled: 0 }],
    ['a counter behind the replies', [1, 2, 3], 0, 2, { lost: 1, doubled: 0 }],
    ['a number given twice', [1, 2, 2], 0, 2, { lost: 1, doubled: 1 }],
    ['a gap that nothing explains', [1, 3], 0, 3, { lost: 0, doubled: 1 }],
    ['more counted than was asked', [1, 2], 1, 4, { lost: 0, doubled: 1 }],
  ])('should judge %s', (_name, numbers, failed, final, account) => {
    expect(audit(outcomes(numbers, failed), final)).toEqual(account);
  });
});
