// Stress test: the load rises step by step to four times the usual one, and nothing fails.
//   -e RATE=15      visitors a second in the first step, four times as many in the last
//   -e DURATION=20s
//   -e VUS=50       the most visitors at a time
//
// k6: ramping-arrival-rate changes the number of iterations that start in a second.
import { settings } from './lib/settings.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, areaOf, atLeast, eachServes, NONE_DROPPED, stagesOf } from './lib/thresholds.ts';
import { visitTwice } from './lib/visitor.ts';

const { RATE, DURATION, VUS } = settings({ RATE: 15, DURATION: '20s', VUS: 50 });
const STEP = Math.ceil(DURATION / 4);
/** A stage of no seconds jumps to the rate of the next one. */
const RAMP = [1, 2, 3, 4].flatMap((times) => [
  { seconds: 0, target: times * RATE },
  { seconds: STEP, target: times * RATE },
]);
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
  'stress',
  'Four times the usual load, and nothing fails',
  options,
);
