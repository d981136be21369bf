// Proves that a visitor's counter continues, whichever instances answer, several at once too.
//   -e VUS=5       visitors at a time
//   -e VISITORS=50 in all
//   -e AT_ONCE=6   requests of a visitor at a time
//
// k6: shared-iterations divides a fixed number of iterations among the VUs. Each VU has a cookie
// jar, which k6 empties after each iteration. http.batch() sends requests at once. A Counter counts
// what was proved: if nothing is, checks and rates have no samples, and thresholds on them pass.
import { check } from 'k6';
import { settings } from './lib/settings.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, eachServes, exactly } from './lib/thresholds.ts';
import { areEachOnce, countShared, proved, view, viewAtOnce } from './lib/visitor.ts';

const { VUS, VISITORS, AT_ONCE } = settings({ VUS: 5, VISITORS: 50, AT_ONCE: 6 });
const VIEWS = 30;

export const options = {
  scenarios: { visitors: { executor: 'shared-iterations', vus: VUS, iterations: VISITORS } },
  thresholds: {
    ...ALWAYS,
    ...eachServes(VISITORS * VIEWS),
    visitors_proved: exactly(VISITORS),
    visitors_shared: exactly(VISITORS),
    'http_req_duration{name:view}': ['p(95)<500'],
  },
};

export const setup = () => openSite(options, 2);

export default function visitor() {
  const seen = [view()]; // the reply brings the cookie
  while (seen.length < VIEWS) seen.push(...viewAtOnce(Math.min(AT_ONCE, VIEWS - seen.length)));
  const holds = check(seen, {
    'views are 1 to 30, each once': () => areEachOnce(seen, VIEWS),
    'they have one session': () => new Set(seen.map(({ session }) => session)).size === 1,
  });
  countShared(seen);
  if (holds) proved.add(1);
}

export const handleSummary = summaryOf(
  'continuity',
  'A counter continues across instances',
  options,
);
