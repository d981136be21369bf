// Proves that ten times as many requests, at once, neither fail nor have to wait to be sent.
//   -e RATE=20      requests a second, before and after; ten times as many in between
//   -e DURATION=20s in all
//   -e VUS=50       the most requests at a time
import { check } from 'k6';
import { seconds, wholeNumber } from './lib/settings.ts';
import { type Site, setup } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { view } from './lib/visitor.ts';

const RATE = wholeNumber('RATE', 20);
const PEAK = 10 * RATE;
const QUARTER = Math.max(1, Math.round(seconds('DURATION', '20s') / 4));

export const options = {
  scenarios: {
    spike: {
      executor: 'ramping-arrival-rate',
      startRate: RATE,
      preAllocatedVUs: wholeNumber('VUS', 50),
      stages: [
        { duration: `${QUARTER}s`, target: RATE },
        { duration: '1s', target: PEAK },
        { duration: `${2 * QUARTER - 1}s`, target: PEAK },
        { duration: '1s', target: RATE },
        { duration: `${QUARTER}s`, target: RATE },
      ],
    },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    dropped_iterations: ['count==0'],
    views: [`count>=${PEAK * (2 * QUARTER - 1)}`],
    'http_req_duration{scenario:spike}': ['p(95)<500'],
  },
};

export { setup };

export default function visitor(site: Site) {
  const { views } = view(site);
  check(views, { 'a new visitor is at the first view': () => views === 1 });
}

export const handleSummary = summaryOf('spike', 'Ten times the requests, none failed or dropped');
