// Proves that nothing fails, is lost or counted twice while instances are killed or replaced.
// Start it, and in another terminal: npm run stack -- kill app-2 (start, restart, scale 5 …)
//   -e VUS=10       visitors at a time
//   -e DURATION=60s
//   -e PAUSE_MS=50  between two views of a visitor, on average
import { check, sleep } from 'k6';
import { seconds, wholeNumber } from './lib/settings.ts';
import { type Site, setup } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { isEachOnce, view } from './lib/visitor.ts';

const VUS = wholeNumber('VUS', 10);
const PAUSE_MS = wholeNumber('PAUSE_MS', 50);
const HOPS = 30;

export const options = {
  scenarios: {
    visitors: { executor: 'constant-vus', vus: VUS, duration: `${seconds('DURATION', '60s')}s` },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    views: [`count>=${VUS * HOPS}`],
    'http_req_duration{scenario:visitors}': ['max<5000'],
  },
};

export { setup };

export default function visitor(site: Site) {
  const seen = Array.from({ length: HOPS }, () => {
    sleep((PAUSE_MS / 1000) * (0.5 + Math.random()));
    return view(site);
  });
  check(seen, {
    'no view failed': () => seen.every(({ views }) => views > 0),
    'views are 1 to 30, each once': () => isEachOnce(seen, HOPS),
  });
}

export const handleSummary = summaryOf('failover', 'Nothing is lost while instances are killed');
