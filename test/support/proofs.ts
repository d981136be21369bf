import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Reply, type Seen, Visitor } from '../../tools/lib/visitor.ts';

/** The whole numbers from `first` to `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Returns N of a reply `Views: N`. */
export function viewsIn({ status, body }: Reply): number {
  expect(status, body).toBe(200);
  expect(body).toMatch(/^Views: \d+$/);
  return Number(body.slice('Views: '.length));
}

/** Repeats a view, as a client may, until it is answered: for `ms` milliseconds at most. */
export async function viewUntilAnswered(visitor: Visitor, ms: number): Promise<number> {
  const headers = { 'idempotency-key': randomUUID(), accept: 'application/json' };
  return eventually(async () => {
    const { status, body } = await visitor.send('/', { headers });
    expect(status, body).toBe(200);
    return (JSON.parse(body) as Seen).views;
  }, ms);
}

const viewsOf = (seen: Seen[]) => seen.map(({ views }) => views);

/** Fails unless the counter of one visitor goes from 1 to 30 across at least 3 instances. */
export async function proveContinuity(url: string): Promise<void> {
  const seen = await new Visitor(url).viewInTurn(30);
  expect(viewsOf(seen)).toEqual(range(1, 30));
  expect(new Set(seen.map(({ instance }) => instance)).size).toBeGreaterThanOrEqual(3);
  expect(new Set(seen.map(({ session }) => session)).size).toBe(1);
}

/** Fails unless 200 concurrent views of one visitor are each counted exactly once. */
export async function proveNothingLost(url: string): Promise<void> {
  const visitor = new Visitor(url);
  const before = (await visitor.view()).views;
  const seen = await visitor.viewAtOnce(200);
  expect(viewsOf(seen).sort((a, b) => a - b)).toEqual(range(before + 1, before + 200));
  expect((await visitor.view()).views).toBe(before + 201);
}
