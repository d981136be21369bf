// Proves that a visitor's counter goes on, whichever instance answers.
//   -e VUS=5        visitors at a time
//   -e DURATION=10s
//   -e AT_ONCE=1    requests that each of them has under way at a time
import { check } from 'k6';
import { seconds, wholeNumber } from './lib/settings.ts';
import { type Site, setup } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { isEachOnce, view, viewAtOnce } from './lib/visitor.ts';

const VUS = wholeNumber('VUS', 5);
const AT_ONCE = wholeNumber('AT_ONCE', 1);
const HOPS = 30;
const INSTANCES = 3;

export const options = {
  scenarios: {
    visitors: { executor: 'constant-vus', vus: VUS, duration: `${seconds('DURATION', '10s')}s` },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    views: [`count>=${VUS * HOPS}`],
    'http_req_duration{scenario:visitors}': ['p(95)<500'],
  },
};

export { setup };

export default function visitor(site: Site) {
  const seen = [view(site)]; // which brings the cookie
  while (seen.length < HOPS) {
    const times = Math.min(AT_ONCE, HOPS - seen.length);
    seen.push(...(times === 1 ? [view(site)] : viewAtOnce(site, times)));
  }
  check(seen, {
    'views are 1 to 30, each once': () => isEachOnce(seen, HOPS),
    'one session': () => new Set(seen.map(({ session }) => session)).size === 1,
    'at least 3 instances': () => new Set(seen.map(({ instance }) => instance)).size >= INSTANCES,
  });
}

export const handleSummary = summaryOf('continuity', 'A counter continues across instances');
