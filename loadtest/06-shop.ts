// Proves that logins and carts are shared: visitors look around, log in, buy and leave.
//   -e VUS=10       visitors at a time
//   -e VISITORS=40  in all
//   -e THINK_MS=200 pause of a visitor between two steps, on average
//
// k6: group() names the steps of a visitor in the summary.
import { check, group, sleep } from 'k6';
import { settings } from './lib/settings.ts';
import { buy, logIn, logOut, whoAmI } from './lib/shop.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, atLeast, eachServes, exactly } from './lib/thresholds.ts';
import { areEachOnce, countShared, proved, view } from './lib/visitor.ts';

const { VUS, VISITORS, THINK_MS } = settings({ VUS: 10, VISITORS: 40, THINK_MS: 200 });
const ITEMS = ['tea', 'coffee', 'cocoa', 'mate', 'chai'];

export const options = {
  scenarios: { visitors: { executor: 'shared-iterations', vus: VUS, iterations: VISITORS } },
  thresholds: {
    ...ALWAYS,
    ...eachServes(VISITORS),
    visitors_proved: exactly(VISITORS),
    visitors_shared: atLeast(VISITORS / 2),
    http_req_duration: ['p(95)<500'],
  },
};

export const setup = () => openSite(options, 2);

export default function visitor() {
  const name = `Visitor ${__VU}-${__ITER}`;
  const cart: Record<string, number> = {};
  const seen = group('look around', () => [view(), view(), view()]);
  think();
  group('log in', () => logIn(name));
  think();
  group('fill the cart', () => {
    for (let i = 0; i < 3; i += 1) {
      const item = ITEMS[Math.floor(Math.random() * ITEMS.length)] ?? 'tea';
      cart[item] = (cart[item] ?? 0) + 1;
      buy(item);
      think();
    }
  });
  const isKept = group('check out', () => {
    const me = whoAmI();
    return check(me, {
      'views are 1 to 3, and the session has them': () => areEachOnce(seen, 3) && me.views === 3,
      'the session has the name': () => me.name === name,
      'the session has the cart': () => isSame(me.cart, cart),
    });
  });
  const hasLeft = group('log out', () =>
    check(name, { 'after the logout the visitor is new': () => logOut() && view().views === 1 }),
  );
  countShared(seen);
  if (isKept && hasLeft) proved.add(1);
}

function isSame(cart: unknown, expected: Record<string, number>): boolean {
  const sorted = (items: object) => JSON.stringify(Object.entries(items).sort());
  return typeof cart === 'object' && sorted(cart ?? {}) === sorted(expected);
}

function think() {
  sleep((THINK_MS / 1000) * (0.5 + Math.random()));
}

export const handleSummary = summaryOf(
  'shop',
  'Logins and carts are shared by all instances',
  options,
);
