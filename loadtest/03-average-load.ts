// Average-load test: the usual number of visitors come, stay and go, and all are served in time.
//   -e VUS=10       visitors at a time
//   -e DURATION=30s
//   -e THINK_MS=250 pause of a visitor between two requests, on average
//
// k6: ramping-vus changes the number of VUs in stages. sleep() is a visitor's think time. The tag
// `instance` divides one Counter, and a threshold can judge each part.
import { check, sleep } from 'k6';
import { getData } from './lib/data.ts';
import { settings } from './lib/settings.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, areaOf, atLeast, eachServes, stagesOf } from './lib/thresholds.ts';
import { proved, view } from './lib/visitor.ts';

const { VUS, DURATION, THINK_MS } = settings({ VUS: 10, DURATION: '30s', THINK_MS: 250 });
const REQUESTS = 4;
const KEY = 'item-3';
const RAMP = [
  { seconds: Math.ceil(DURATION / 5), target: VUS },
  { seconds: Math.ceil((3 * DURATION) / 5), target: VUS },
  { seconds: Math.ceil(DURATION / 5), target: 0 },
];
/** At half the speed of a site that answers at once. */
const VISITORS = Math.floor(areaOf(1, RAMP) / (2 * REQUESTS * Math.max(THINK_MS / 1000, 0.05)));

export const options = {
  scenarios: { visitors: { executor: 'ramping-vus', startVUs: 1, stages: stagesOf(RAMP) } },
  thresholds: {
    ...ALWAYS,
    ...eachServes(VISITORS * REQUESTS),
    visitors_proved: atLeast(VISITORS),
    'http_req_duration{name:view}': ['p(95)<500'],
    'http_req_duration{name:data}': ['p(95)<500'],
  },
};

export function setup() {
  openSite(options, 1);
  getData(KEY, 'setup'); // so that no visitor waits for the origin
}

export default function visitor() {
  for (const expected of [1, 2, 3]) {
    const { views } = view();
    if (!check(views, { 'views are 1 to 3': () => views === expected })) return;
    think();
  }
  getData(KEY);
  think();
  proved.add(1);
}

function think() {
  sleep((THINK_MS / 1000) * (0.5 + Math.random()));
}

export const handleSummary = summaryOf('average-load', 'The usual load is served in time', options);
