// Proves that nothing fails, is lost or counted twice while instances are killed. It kills them
// itself if fault injection is on, as after "npm start". Otherwise kill some yourself while it runs:
// npm run stack -- kill app-2, docker compose kill, or a rolling update.
//   -e RATE=5       visitors a second
//   -e DURATION=30s
//   -e VUS=40       the most visitors at a time
//   -e PAUSE_MS=100 between two views of a visitor, on average
//   -e KILLS=2      instances that it kills; 0 leaves them to you
//   -e PRESENTER_KEY=… if the stack printed one
//
// k6: one scenario is the load, the other one the fault. A Counter of the faults is judged too,
// since a run without a kill proves nothing.
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { settings } from './lib/settings.ts';
import { openSite, send } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import type { Summary } from './lib/summary-data.ts';
import { ALWAYS, atLeast, eachServes, NONE_DROPPED } from './lib/thresholds.ts';
import { areEachOnce, proved, view } from './lib/visitor.ts';

const { RATE, DURATION, VUS, PAUSE_MS, KILLS } = settings({
  RATE: 5,
  DURATION: '30s',
  VUS: 40,
  PAUSE_MS: 100,
  KILLS: 2,
});
const PRESENTER_KEY = __ENV.PRESENTER_KEY || '';
const VIEWS = 10;
/** Milliseconds in which the last kill must be noticed. */
const NOTICE_MS = 10_000;

/** Instances that ended, by this script or by other means. */
const ended = new Counter('instances_ended');

export const options = {
  scenarios: {
    visitors: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      duration: `${DURATION}s`,
      preAllocatedVUs: VUS,
    },
    faults: {
      executor: 'shared-iterations',
      exec: 'breakInstances',
      iterations: 1,
      maxDuration: `${DURATION + 20}s`,
    },
  },
  thresholds: {
    ...ALWAYS,
    ...NONE_DROPPED,
    ...eachServes(),
    visitors_proved: atLeast(RATE * DURATION),
    instances_ended: [`count>=${Math.max(1, KILLS)}`],
    'http_req_duration{name:view}': ['max<5000'],
  },
};

export const setup = () => openSite(options, 2);

export default function visitor() {
  const seen = Array.from({ length: VIEWS }, () => {
    sleep((PAUSE_MS / 1000) * (0.5 + Math.random()));
    return view();
  });
  if (check(seen, { 'views are 1 to 10, each once': () => areEachOnce(seen, VIEWS) }))
    proved.add(1);
}

interface Instance {
  name: string;
  state: string;
  uptimeSeconds: number;
}

/** A reply of `GET /dashboard/instances`, as far as it is used here. */
interface Overview {
  instances: Instance[];
  faults: { enabled: boolean; needsKey: boolean };
}

/** Kills an instance from time to time if it may, and counts the instances that end. */
export function breakInstances() {
  const uptimes = new Map<string, number>();
  const until = Date.now() + 1000 * DURATION;
  const pauseMs = (1000 * DURATION) / (KILLS + 1);
  const killed = new Set<string>();
  let [ends, killAt] = [0, Date.now() + pauseMs / 2];
  // The end of an instance is known when its heartbeat has expired.
  const isOver = () => Date.now() > (ends < killed.size ? until + NOTICE_MS : until);
  for (; !isOver(); sleep(0.3)) {
    const reply = send('GET', '/dashboard/instances', 'instances');
    const { instances, faults } = reply.json() as unknown as Overview;
    const alive = instances.filter(({ state }) => state !== 'dead');
    const count = countEnded(alive, uptimes);
    ended.add(count);
    ends += count;
    const mayKill = faults.enabled && (!faults.needsKey || PRESENTER_KEY !== '');
    const isReady = ({ name, state }: Instance) => state === 'ready' && !killed.has(name);
    const [victim, next] = alive.filter(isReady);
    if (!mayKill || killed.size >= KILLS || Date.now() < killAt || !victim || !next) continue;
    kill(victim.name);
    killed.add(victim.name);
    killAt += pauseMs;
  }
}

/** Counts those that have gone, or whose process is a new one, since the last call. */
function countEnded(alive: Instance[], uptimes: Map<string, number>): number {
  const now = new Map(alive.map(({ name, uptimeSeconds }) => [name, uptimeSeconds]));
  const gone = [...uptimes].filter(([name, uptime]) => (now.get(name) ?? -1) < uptime);
  uptimes.clear();
  for (const [name, uptime] of now) uptimes.set(name, uptime);
  return gone.length;
}

function kill(instance: string): void {
  const headers = { Authorization: `Bearer ${PRESENTER_KEY}` };
  const { status } = send('POST', '/dashboard/faults/kill', 'kill', { instance }, headers);
  const isKilled = status === 202;
  const next = isKilled ? `start it again: npm run stack -- start ${instance}` : `status ${status}`;
  console.warn(`${isKilled ? 'killed' : 'could not kill'} ${instance}; ${next}`);
}

/** Says why nothing was proved, if no instance ended. */
function judged({ metrics }: Summary): string[] {
  const count = metrics.instances_ended?.values.count ?? 0;
  return count > 0 ? [] : ['not judged: no instance was killed while it ran'];
}

export const handleSummary = summaryOf(
  'failover',
  'Nothing is lost while instances are killed',
  options,
  judged,
);
