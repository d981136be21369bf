// Proves that many requests for an expired entry call the origin once, over all instances.
//   -e RATE=50      requests a second for the same key
//   -e DURATION=10s
//   -e VUS=20       the most requests at a time
//
// k6: constant-arrival-rate starts iterations on time, whether or not earlier ones have ended (the
// open model). If no VU is free, an iteration is dropped: a threshold demands that none is.
import { sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { getData, invalidate } from './lib/data.ts';
import { settings } from './lib/settings.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, atLeast, eachServes, NONE_DROPPED } from './lib/thresholds.ts';

const { RATE, DURATION, VUS } = settings({ RATE: 50, DURATION: '10s', VUS: 20 });
const KEY = 'item-500';
/** Seconds from one expiry to the next. */
const PERIOD = 1;
/** How many are certain, since a period also takes two requests and a call of the origin. */
const EXPIRIES = Math.floor(DURATION / (2 * PERIOD));

const answers = new Counter('answers');
const waited = new Counter('waited_for_the_origin');
const expiries = new Counter('expiries');
const originCalls = new Trend('origin_calls_per_expiry');

export const options = {
  scenarios: {
    arrivals: {
      executor: 'constant-arrival-rate',
      exec: 'arrive',
      rate: RATE,
      duration: `${DURATION}s`,
      preAllocatedVUs: VUS,
    },
    expiry: { executor: 'constant-vus', exec: 'expire', vus: 1, duration: `${DURATION}s` },
  },
  thresholds: {
    ...ALWAYS,
    ...NONE_DROPPED,
    ...eachServes(RATE * DURATION),
    answers: atLeast(RATE * DURATION),
    expiries: atLeast(EXPIRIES),
    // Without requests that wait for the same load there is no stampede, and nothing is proved.
    waited_for_the_origin: atLeast(2 * EXPIRIES),
    origin_calls_per_expiry: ['min>=1', 'max<=1'],
    'http_req_duration{name:data}': ['max<5000'],
  },
};

export const setup = () => openSite(options, 2);

export function arrive() {
  const { found } = getData(KEY);
  answers.add(1);
  if (found === 'origin') waited.add(1);
}

/** Each answer has the number of the origin's call, so two answers tell how many lie between. */
export function expire() {
  const before = getData(KEY);
  invalidate(KEY);
  sleep(PERIOD);
  const after = getData(KEY);
  originCalls.add(after.load - before.load);
  expiries.add(1);
}

export const handleSummary = summaryOf(
  'stampede',
  'One call of the origin for each expiry',
  options,
);
