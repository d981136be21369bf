import { sum } from '../lib/statistics.ts';
import { type Final, isFailed, type Outcome } from './load.ts';

/** The result of an audit of one counter, or of all counters. */
export interface Account {
  /** Updates that were answered with success and are missing in the counter at the end. */
  lost: number;
  /** Numbers given to two requests, and updates counted beyond all requests. */
  countedTwice: number;
}

/**
 * Compares the replies to requests that each add one to a counter with its final value. A failed
 * request may be counted or not; all other requests must be counted exactly once.
 */
export function audit(outcomes: Outcome[], final: number, mayBeLost = 0): Account {
  const numbers = outcomes.flatMap(({ number }) => number ?? []);
  const failed = outcomes.filter(isFailed).length;
  const repeated = numbers.length - new Set(numbers).size;
  return {
    lost: Math.max(0, numbers.length - final - mayBeLost),
    // Redis gives the numbers of lost updates again.
    countedTwice: Math.max(0, repeated - mayBeLost) + Math.max(0, final - numbers.length - failed),
  };
}

/**
 * Audits all counters: the views of each session, and the quantity of each item in its cart.
 *
 * @param finals by the number of the session; `undefined` if the state is not known
 * @param mayBeLost tells whether a successful request may be lost
 */
export function auditAll(
  outcomes: Outcome[],
  finals: (Final | undefined)[],
  mayBeLost: (outcome: Outcome) => boolean,
): Account {
  const accounts = finals.flatMap((final, session) => {
    if (!final) return [];
    const { views, cart } = final;
    const own = outcomes.filter((outcome) => outcome.session === session);
    const items = new Set([...Object.keys(cart), ...own.flatMap(({ item }) => item ?? [])]);
    const counters = [...items].map((item) => ({ item, final: cart[item] ?? 0 }));
    return [{ item: undefined, final: views }, ...counters].map(({ item, final }) => {
      const its = own.filter((one) => (item ? one.item === item : one.request === 'GET /'));
      return audit(its, final, its.filter((one) => !isFailed(one) && mayBeLost(one)).length);
    });
  });
  return {
    lost: sum(accounts.map(({ lost }) => lost)),
    countedTwice: sum(accounts.map(({ countedTwice }) => countedTwice)),
  };
}

/** Milliseconds after an invalidation until no instance returns the old entry. */
const INVALIDATION_MS = 100;
/** Milliseconds by which the clocks of the load and of the instances may differ. */
const CLOCK_MS = 10;

/**
 * The replies with data that was made before an invalidation, which was answered long enough before
 * the request.
 *
 * @param mayBeLost tells whether an invalidation may be lost
 */
export function staleReplies(
  outcomes: Outcome[],
  mayBeLost: (outcome: Outcome) => boolean,
): Outcome[] {
  const invalidations = outcomes.filter(
    (one) => one.request === 'DELETE /data' && one.status === 204 && !mayBeLost(one),
  );
  return outcomes.filter(({ from, madeAt = Infinity }) =>
    invalidations.some(
      (one) => one.from + one.ms + INVALIDATION_MS < from && madeAt < one.from - CLOCK_MS,
    ),
  );
}
