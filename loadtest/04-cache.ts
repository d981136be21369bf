// Proves that hits are fast: 95 of 100 take at most 20 ms, and a tenth of a miss.
//   -e RATE=100     hits a second
//   -e DURATION=10s
//   -e VUS=10       the most requests for hits at a time
//   -e HIT_MS=20    milliseconds that 95 of 100 hits may take
//
// k6: several scenarios run at the same time, each with a function (`exec`). What setup() returns
// is passed to them. A Trend keeps durations, a Rate the share of values that are true.
import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import { getData, invalidate } from './lib/data.ts';
import { settings } from './lib/settings.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, atLeast, eachServes, NONE_DROPPED } from './lib/thresholds.ts';

const { RATE, DURATION, VUS, HIT_MS } = settings({
  RATE: 100,
  DURATION: '10s',
  VUS: 10,
  HIT_MS: 20,
});
const KEYS = ['item-1', 'item-2', 'item-3', 'item-4'];
const MISSED_KEY = 'item-1000';
/** Requests before anything is measured: a process that has just started is slow. */
const WARM_UP = 200;

const hits = new Counter('hits');
const misses = new Counter('misses');
const hitRatio = new Rate('hit_ratio');
const withinTenth = new Rate('within_a_tenth_of_a_miss');
const hitTime = new Trend('hit_duration', true);
const missTime = new Trend('miss_duration', true);

export const options = {
  scenarios: {
    hits: {
      executor: 'constant-arrival-rate',
      exec: 'hit',
      rate: RATE,
      duration: `${DURATION}s`,
      preAllocatedVUs: VUS,
    },
    misses: { executor: 'constant-vus', exec: 'miss', vus: 1, duration: `${DURATION}s` },
  },
  thresholds: {
    ...ALWAYS,
    ...NONE_DROPPED,
    ...eachServes(RATE * DURATION),
    hits: atLeast(0.95 * RATE * DURATION),
    // An instance that did not call the origin found the entry in Redis: the cache is shared.
    'hits{found:redis}': ['count>=1'],
    'hits{found:local}': ['count>=1'],
    misses: atLeast(DURATION / 5),
    hit_ratio: ['rate>0.95'],
    hit_duration: [`p(95)<${HIT_MS}`],
    miss_duration: ['max<5000'],
    // So the 95th percentile of the hits is at most a tenth of a miss.
    within_a_tenth_of_a_miss: ['rate>=0.95'],
  },
};

interface Site {
  /** Milliseconds of the fastest miss. */
  missMs: number;
}

export function setup(): Site {
  openSite(options, 2);
  getData(MISSED_KEY);
  for (let i = 0; i < WARM_UP && getData(MISSED_KEY).isHit; i += 1);
  for (const key of KEYS) invalidate(key);
  for (const key of KEYS) getData(key);
  return { missMs: Math.min(getMissed(), getMissed(), getMissed()) };
}

export function hit({ missMs }: Site) {
  const { isHit, found, ms } = getData(KEYS[exec.scenario.iterationInTest % KEYS.length] ?? '');
  hitRatio.add(isHit);
  withinTenth.add(ms <= missMs / 10);
  if (!isHit || found === 'origin') return;
  hits.add(1, { found });
  hitTime.add(ms);
}

export function miss() {
  missTime.add(getMissed());
  misses.add(1);
}

function getMissed(): number {
  invalidate(MISSED_KEY);
  const { found, ms } = getData(MISSED_KEY);
  check(found, { 'an invalidated entry is loaded again': () => found === 'origin' });
  return ms;
}

export const handleSummary = summaryOf(
  'cache',
  'Hits are fast, and shared by the instances',
  options,
);
