// Soak test: a steady load for a long time, and the last third is as fast as the first.
//   -e RATE=20      visitors a second, with three requests each
//   -e DURATION=10m
//   -e VUS=20       the most visitors at a time
//   -e DRIFT=2      how many times slower a request may become
//   -e LEAST_MS=10  milliseconds of a reply that count as fast: their drift is noise
//
// k6: variables of a script belong to one VU. So each VU remembers its first third, and compares
// its last third with it. Tags divide a Trend into the parts of the run.
import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import { getData } from './lib/data.ts';
import { settings } from './lib/settings.ts';
import { openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { ALWAYS, atLeast, eachServes, NONE_DROPPED } from './lib/thresholds.ts';
import { proved, view } from './lib/visitor.ts';

const { RATE, DURATION, VUS, DRIFT, LEAST_MS } = settings({
  RATE: 20,
  DURATION: '10m',
  VUS: 20,
  DRIFT: 2,
  LEAST_MS: 10,
});
const VISITORS = RATE * DURATION;

const viewTime = new Trend('view_duration', true);
const compared = new Counter('compared');
const isAsFast = new Rate('as_fast_as_at_first');

export const options = {
  scenarios: {
    visitors: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      duration: `${DURATION}s`,
      preAllocatedVUs: VUS,
    },
  },
  thresholds: {
    ...ALWAYS,
    ...NONE_DROPPED,
    ...eachServes(3 * VISITORS),
    visitors_proved: atLeast(VISITORS),
    compared: atLeast(VISITORS / 3),
    as_fast_as_at_first: ['rate>=0.9'],
    'view_duration{part:first}': ['p(95)<500'],
    'view_duration{part:last}': ['p(95)<500'],
  },
};

export const setup = () => openSite(options, 1);

/** Milliseconds of this VU's views in the first third. */
const first: number[] = [];

export default function visitor() {
  const part = partOfRun();
  for (const expected of [1, 2]) {
    const { views, ms } = view();
    if (!check(views, { 'views are 1 and 2': () => views === expected })) return;
    viewTime.add(ms, { part });
    if (part === 'first') first.push(ms);
    if (part === 'last') compare(ms);
  }
  getData('item-9');
  proved.add(1);
}

function compare(ms: number): void {
  const middle = first.sort((a, b) => a - b)[Math.floor(first.length / 2)];
  if (middle === undefined) return; // this VU had nothing to do in the first third
  compared.add(1);
  isAsFast.add(ms <= DRIFT * Math.max(middle, LEAST_MS));
}

function partOfRun(): 'first' | 'middle' | 'last' {
  const share = (Date.now() - exec.scenario.startTime) / (1000 * DURATION);
  if (share < 1 / 3) return 'first';
  return share < 2 / 3 ? 'middle' : 'last';
}

export const handleSummary = summaryOf('soak', 'The last third is as fast as the first', options);
