// Proves that the origin is asked once where many want what has just expired.
//   -e RATE=50      requests a second for the same key
//   -e DURATION=10s
//   -e VUS=20       the most requests at a time
import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { forgetData, getData } from './lib/data.ts';
import { seconds, wholeNumber } from './lib/settings.ts';
import { type Site, setup } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';

const RATE = wholeNumber('RATE', 50);
const DURATION = seconds('DURATION', '10s');
const KEY = 'item-500';
/** Seconds in which what has expired is loaded again, and asked for by all. */
const PERIOD = 1;

const answers = new Counter('answers');
const expiries = new Counter('expiries');
const originCalls = new Trend('origin_calls_per_expiry');

export const options = {
  scenarios: {
    arrivals: {
      executor: 'constant-arrival-rate',
      exec: 'arrive',
      rate: RATE,
      duration: `${DURATION}s`,
      preAllocatedVUs: wholeNumber('VUS', 20),
    },
    expiry: { executor: 'constant-vus', exec: 'expire', vus: 1, duration: `${DURATION}s` },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    answers: [`count>=${Math.floor(0.9 * RATE * DURATION)}`],
    expiries: ['count>=1'],
    origin_calls_per_expiry: ['min>=1', 'max<=1'],
    'http_req_duration{scenario:arrivals}': ['max<5000'],
  },
};

export { setup };

export function arrive(site: Site) {
  const answer = getData(site, KEY);
  if (check(answer, { 'the answer is there': ({ ok }) => ok })) answers.add(1);
}

/** Every answer says which call of the origin made it: two answers say how many came between. */
export function expire(site: Site) {
  const before = getData(site, KEY);
  check(forgetData(site, KEY), { 'it is forgotten': (ok) => ok });
  sleep(PERIOD);
  const after = getData(site, KEY);
  originCalls.add(after.load - before.load);
  expiries.add(1);
}

export const handleSummary = summaryOf('stampede', 'One call of the origin for each expiry');
