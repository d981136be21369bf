// Breakpoint test: how much can these instances take? The load rises in steps until a step is
// too slow or fails. Then k6 aborts the run with 99, and the summary names the last step that held.
//   -e MAX_RATE=100 visitors a second in the last step, with two requests each
//   -e STEPS=10
//   -e DURATION=60s
//   -e VUS=100      the most visitors at a time
//   -e VIEW_MS=200  milliseconds that 95 of 100 views may take
//
// k6: a threshold with abortOnFail ends the run once it is crossed. A tag for each step gives each
// step thresholds of its own.
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';
import { settings } from './lib/settings.ts';
import { INSTANCES, openSite } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import type { Summary } from './lib/summary-data.ts';
import { ALWAYS, atLeast, eachServes, NONE_DROPPED, stagesOf } from './lib/thresholds.ts';
import { visitTwice } from './lib/visitor.ts';

const { MAX_RATE, STEPS, DURATION, VUS, VIEW_MS } = settings({
  MAX_RATE: 100,
  STEPS: 10,
  DURATION: '60s',
  VUS: 100,
  VIEW_MS: 200,
});
const steps = Array.from({ length: STEPS }, (_, i) => i + 1);
const SECONDS = Math.max(1, Math.round(DURATION / STEPS));
const rateOf = (step: number) => Math.ceil((MAX_RATE * step) / STEPS);

const held = new Counter('visitors_in_step');
const time = new Trend('view_duration', true);

const judged = steps.map((step) => [
  [`view_duration{step:${step}}`, [{ threshold: `p(95)<${VIEW_MS}`, abortOnFail: true }]],
  [`visitors_in_step{step:${step}}`, atLeast(0.5 * rateOf(step) * SECONDS)],
]);

export const options = {
  scenarios: {
    visitors: {
      executor: 'ramping-arrival-rate',
      startRate: rateOf(1),
      // Within a step the rate is constant: a stage of no seconds jumps to the next one.
      stages: stagesOf(
        steps.flatMap((step) => [
          { seconds: 0, target: rateOf(step) },
          { seconds: SECONDS, target: rateOf(step) },
        ]),
      ),
      preAllocatedVUs: VUS,
    },
  },
  thresholds: {
    ...ALWAYS,
    ...NONE_DROPPED,
    ...eachServes(),
    http_req_failed: [{ threshold: 'rate==0', abortOnFail: true }],
    ...Object.fromEntries(judged.flat()),
  },
};

export const setup = () => openSite(options, 1);

export default function visitor() {
  const seconds = (Date.now() - exec.scenario.startTime) / 1000;
  const step = String(Math.min(STEPS, Math.floor(seconds / SECONDS) + 1));
  for (const { ms } of visitTwice()) time.add(ms, { step });
  held.add(1, { step });
}

/** Names the highest step that held, with all steps below it. */
function answer({ metrics }: Summary): string[] {
  const holds = (name: string) =>
    Object.values(metrics[name]?.thresholds ?? {}).every(({ ok }) => ok);
  const broken = steps.find(
    (step) => !holds(`view_duration{step:${step}}`) || !holds(`visitors_in_step{step:${step}}`),
  );
  const last = (broken ?? STEPS + 1) - 1;
  const rate = last === 0 ? `fewer than ${rateOf(1)}` : rateOf(last);
  const limit = broken
    ? `not ${rateOf(broken)}`
    : 'the highest step; raise -e MAX_RATE to find the limit';
  return [
    `${INSTANCES.length} instances took ${rate} visitors a second (two views each), ${limit}`,
  ];
}

export const handleSummary = summaryOf('breakpoint', 'The limit was not reached', options, answer);
