// Proves that a hit is fast: at most 20 ms, and a tenth of a miss, for 95 of 100.
//   -e RATE=100     hits a second
//   -e DURATION=10s
//   -e VUS=10       the most requests for hits at a time
//   -e HIT_MS=20    milliseconds that 95 of 100 hits may take
import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import { forgetData, getData } from './lib/data.ts';
import { seconds, wholeNumber } from './lib/settings.ts';
import { type Site, setup as setupSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';

interface CacheSite extends Site {
  /** Milliseconds that a miss takes at the least. */
  missMs: number;
}

const RATE = wholeNumber('RATE', 100);
const DURATION = seconds('DURATION', '10s');
/** Every instance finds each of them in Redis once, and then in its own memory. */
const KEYS = Array.from({ length: 10 }, (_, i) => `item-${i + 1}`);
const OTHER_KEY = 'item-1000';
/** Milliseconds before anything is measured: an instance that has just started is slow. */
const WARM_UP_MS = 1500;

const hits = new Counter('hits');
const misses = new Counter('misses');
const hitRatio = new Rate('hit_ratio');
const withinTenth = new Rate('within_a_tenth_of_a_miss');
const missTime = new Trend('miss_duration', true);
const hitTime = {
  local: new Trend('hit_local_duration', true),
  redis: new Trend('hit_redis_duration', true),
};

export const options = {
  scenarios: {
    hits: {
      executor: 'constant-arrival-rate',
      exec: 'hit',
      rate: RATE,
      duration: `${DURATION}s`,
      preAllocatedVUs: wholeNumber('VUS', 10),
    },
    misses: { executor: 'constant-vus', exec: 'miss', vus: 1, duration: `${DURATION}s` },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    hits: [`count>=${Math.floor(0.9 * RATE * DURATION)}`],
    // How many instances found in their own memory, and how many in Redis, is shown.
    'hits{found:local}': ['count>=0'],
    'hits{found:redis}': ['count>=0'],
    misses: ['count>=1'],
    hit_ratio: ['rate>0.95'],
    'http_req_duration{scenario:hits}': [`p(95)<${wholeNumber('HIT_MS', 20)}`],
    'http_req_duration{scenario:misses}': ['max<5000'],
    // Its 95th percentile is at most a tenth of a miss just where this holds for 95 of 100.
    within_a_tenth_of_a_miss: ['rate>=0.95'],
  },
};

export function setup(): CacheSite {
  const site = setupSite();
  for (const until = Date.now() + WARM_UP_MS; Date.now() < until; ) getData(site, OTHER_KEY);
  for (const key of KEYS) getData(site, key);
  const missMs = Math.min(...[1, 2, 3].map(() => getForgotten(site).ms));
  return { ...site, missMs };
}

export function hit(site: CacheSite) {
  const key = KEYS[exec.scenario.iterationInTest % KEYS.length] ?? OTHER_KEY;
  const answer = getData(site, key);
  check(answer, { 'the answer is there': ({ ok }) => ok });
  hitRatio.add(answer.isHit);
  withinTenth.add(answer.ms <= site.missMs / 10);
  if (!answer.isHit || answer.found === 'origin') return;
  hits.add(1, { found: answer.found });
  hitTime[answer.found].add(answer.ms);
}

export function miss(site: CacheSite) {
  const answer = getForgotten(site);
  check(answer, {
    'the answer is there': ({ ok }) => ok,
    'what was forgotten is made anew': ({ found }) => found === 'origin',
  });
  misses.add(1);
  missTime.add(answer.ms);
}

function getForgotten(site: Site) {
  check(forgetData(site, OTHER_KEY), { 'it is forgotten': (ok) => ok });
  return getData(site, OTHER_KEY);
}

export const handleSummary = summaryOf('cache', 'Hits are fast, and nearly all requests are hits');
