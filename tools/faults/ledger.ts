import { type Final, isFailed, type Outcome } from './load.ts';

/** How the replies to one counter, or to all of them, agree with its end. */
export interface Account {
  /** What was answered with success and is not in the counter at the end. */
  lost: number;
  /** Numbers given to two requests, and what was counted beyond all requests: counted twice. */
  doubled: number;
}

/**
 * Compares the replies to requests that each add one to a counter with the counter's end. A failed
 * request may have counted or not; everything else has to be exact.
 */
export function audit(outcomes: Outcome[], final: number, mayBeLost = 0): Account {
  const numbers = outcomes.flatMap(({ number }) => (number === undefined ? [] : [number]));
  const given = new Set(numbers);
  const failed = outcomes.filter(isFailed).length;
  const twice = numbers.length - given.size;
  return {
    lost: Math.max(0, numbers.length - final - mayBeLost),
    // What Redis forgot in its last second is given again.
    doubled: Math.max(0, twice - mayBeLost) + Math.max(0, final - numbers.length - failed),
  };
}

/**
 * The account of all counters: the views of each session, and the quantity of each item in its cart.
 *
 * @param mayBeLost tells of a request whether its success may have been forgotten
 */
export function settle(
  outcomes: Outcome[],
  finals: Final[],
  mayBeLost: (outcome: Outcome) => boolean,
): Account {
  const counters = finals.flatMap(({ views, cart }, session) => {
    const own = outcomes.filter((outcome) => outcome.session === session);
    const items = new Set([...Object.keys(cart), ...own.flatMap(({ item }) => item ?? [])]);
    return [
      { of: own.filter(({ request }) => request === 'GET /'), final: views },
      ...[...items].map((item) => ({
        of: own.filter((outcome) => outcome.item === item),
        final: cart[item] ?? 0,
      })),
    ];
  });
  const accounts = counters.map(({ of, final }) =>
    audit(of, final, of.filter((outcome) => !isFailed(outcome) && mayBeLost(outcome)).length),
  );
  return {
    lost: accounts.reduce((sum, { lost }) => sum + lost, 0),
    doubled: accounts.reduce((sum, { doubled }) => sum + doubled, 0),
  };
}
