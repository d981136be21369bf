// Spike test: ten times as many visitors come at once, and none fails or waits to be sent.
//   -e RATE=10      visitors a second before and after, ten times as many between
//   -e DURATION=20s
//   -e VUS=50       the most visitors at a time
//
// k6: as in the stress test, but with a sudden rise. VUs are allocated before the run, so that the
// spike does not first have to start them.
import { settings } from './lib/settings.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, areaOf, atLeast, eachServes, NONE_DROPPED, stagesOf } from './lib/thresholds.ts';
import { visitTwice } from './lib/visitor.ts';

const { RATE, DURATION, VUS } = settings({ RATE: 10, DURATION: '20s', VUS: 50 });
const QUARTER = Math.max(1, Math.round(DURATION / 4));
const RAMP = [
  { seconds: QUARTER, target: RATE },
  { seconds: 1, target: 10 * RATE },
  { seconds: Math.max(1, 2 * QUARTER - 2), target: 10 * RATE },
  { seconds: 1, target: RATE },
  { seconds: QUARTER, target: RATE },
];
const VISITORS = areaOf(RATE, RAMP);

export const options = {
  scenarios: {
    visitors: {
      executor: 'ramping-arrival-rate',
      startRate: RATE,
      stages: stagesOf(RAMP),
      preAllocatedVUs: VUS,
    },
  },
  thresholds: {
    ...ALWAYS,
    ...NONE_DROPPED,
    ...eachServes(2 * VISITORS),
    visitors_proved: atLeast(VISITORS),
    'http_req_duration{name:view}': ['p(95)<500'],
  },
};

export const setup = () => openSite(options, 1);
export default visitTwice;
export const handleSummary = summaryOf(
  'spike',
  'Ten times the usual load at once, and nothing fails',
  options,
);
