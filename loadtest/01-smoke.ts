// Smoke test: every route works, for one visitor after the other. Run it first.
//   -e VISITORS=3
//
// k6: a VU (virtual user) calls the default function, once for each iteration. check() notes
// whether something holds. Thresholds decide: if one is crossed, k6 exits with 99.
import { check } from 'k6';
import { getData, invalidate } from './lib/data.ts';
import { settings } from './lib/settings.ts';
import { logIn, logOut, whoAmI } from './lib/shop.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, atLeast, eachServes, exactly } from './lib/thresholds.ts';
import { areEachOnce, countShared, proved, view } from './lib/visitor.ts';

const { VISITORS } = settings({ VISITORS: 3 });
const KEY = 'item-999';

export const options = {
  scenarios: { visitors: { executor: 'shared-iterations', vus: 1, iterations: VISITORS } },
  thresholds: {
    ...ALWAYS,
    ...eachServes(),
    visitors_proved: exactly(VISITORS),
    visitors_shared: atLeast(VISITORS / 2),
  },
};

export const setup = () => openSite(options, 2);

export default function visitor() {
  const seen = [view(), view(), view()];
  logIn('Ada');
  invalidate(KEY);
  const [first, second] = [getData(KEY), getData(KEY)];
  const holds = check(seen, {
    'views are 1 to 3': () => areEachOnce(seen, 3),
    'the login is known': () => whoAmI().name === 'Ada',
    'the first answer is new, the second one cached': () => !first.isHit && second.isHit,
    'after the logout the visitor is new': () => logOut() && view().views === 1,
  });
  countShared(seen);
  if (holds) proved.add(1);
}

export const handleSummary = summaryOf('smoke', 'Every route works', options);
