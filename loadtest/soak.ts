// Proves that it stays as it was: steady requests for long, and the last third as quick as before.
//   -e RATE=50      visitors a second, of three requests each
//   -e DURATION=10m
//   -e VUS=20       the most visitors at a time
//   -e DRIFT=3      how many times slower the slowest hundredth may become
import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Rate, Trend } from 'k6/metrics';
import { BASE_URL, seconds, wholeNumber } from './lib/settings.ts';
import { type Site, setup as setupSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { type View, view } from './lib/visitor.ts';

interface SoakSite extends Site {
  /** Milliseconds that all but a hundredth of the views took at first. */
  p99: number;
}

const RATE = wholeNumber('RATE', 50);
const DURATION = seconds('DURATION', '10m');
const DRIFT = wholeNumber('DRIFT', 3);
const FIRST_VIEWS = 200;
/** Milliseconds. Below this it is the machine that is measured. */
const LEAST_P99 = 20;

const viewTime = new Trend('view_duration', true);
const isAsAtFirst = new Rate('as_quick_as_at_first');

export const options = {
  scenarios: {
    visitors: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      duration: `${DURATION}s`,
      preAllocatedVUs: wholeNumber('VUS', 20),
    },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    'views{scenario:visitors}': [`count>=${Math.floor(0.9 * 2 * RATE * DURATION)}`],
    // The slowest hundredth is within bounds just where this holds for 99 of 100.
    'as_quick_as_at_first{part:last}': ['rate>=0.99'],
    // Shown side by side in the summary.
    'view_duration{part:first}': ['p(99)<1000'],
    'view_duration{part:last}': ['p(99)<1000'],
  },
  summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)'],
};

export function setup(): SoakSite {
  const site = setupSite();
  const times = Array.from({ length: FIRST_VIEWS }, () => timed(site).ms).sort((a, b) => a - b);
  return { ...site, p99: Math.max(LEAST_P99, times[Math.floor(0.99 * FIRST_VIEWS)] ?? 0) };
}

export default function visitor(site: SoakSite) {
  const part = partOfRun();
  for (const expected of [1, 2]) {
    const { views, ms } = timed(site);
    check(views, { 'the view is counted': () => views === expected });
    viewTime.add(ms, { part });
    isAsAtFirst.add(ms <= DRIFT * site.p99, { part });
  }
  const data = http.get(`${BASE_URL}/data`, { tags: { name: 'data' } });
  check(data, { 'the data is there': ({ status }) => status === 200 });
}

function timed(site: Site): View & { ms: number } {
  const from = Date.now();
  return { ...view(site), ms: Date.now() - from };
}

function partOfRun(): 'first' | 'middle' | 'last' {
  const share = (Date.now() - exec.scenario.startTime) / (1000 * DURATION);
  if (share < 1 / 3) return 'first';
  return share < 2 / 3 ? 'middle' : 'last';
}

export const handleSummary = summaryOf('soak', 'It stays as quick as it was, and nothing fails');
