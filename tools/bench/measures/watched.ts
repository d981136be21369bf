import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { newVisitors, viewEvenly } from '../../lib/load.ts';
import { cpuMs, HAS_PROC, pidsOf } from '../../lib/process-use.ts';
import { Random } from '../../lib/random.ts';
import { sum } from '../../lib/statistics.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';

const ROUNDS = 9;
const SECONDS = 5;
const PER_SECOND = 500;
const VISITORS = 16;
const WARM_UP_SECONDS = 10;
/** Milliseconds after which the dashboard no longer watches for a page that was closed. */
const SETTLE_MS = 4000;
/** CPU time of the instances over that without a page. */
const TARGET = { atMost: 1.05 };

/** Compares the CPU time of the instances with a page, without one, and without a dashboard. */
export async function measureWatched(): Promise<Figure[]> {
  if (!HAS_PROC) throw new Error('the CPU time of a process can be measured on Linux only');
  await using stack = await Stack.start();
  const cookies = await newVisitors(stack.url, VISITORS);
  const random = new Random(VISITORS);
  const pids = await pidsOf(stack.instances);
  const [dashboard = NaN] = await pidsOf([stack.dashboard]);
  const dashboardMs: number[] = [];

  /** Microseconds of CPU time of the instances for each request. */
  const load = async (seconds = SECONDS) => {
    const used = () => sum(pids.map(cpuMs));
    const before = used();
    const replies = await viewEvenly(stack.url, () => random.pick(cookies), PER_SECOND, seconds);
    return ((used() - before) * 1000) / replies.length;
  };
  const open = async () => {
    const req = request(`${stack.url}/dashboard/events`, {
      headers: { cookie: cookies[0] },
      agent: false,
    }).end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    res.resume();
    const cost = await load();
    req.destroy();
    await delay(SETTLE_MS);
    return cost;
  };
  const closed = async () => {
    const before = cpuMs(dashboard);
    const cost = await load();
    dashboardMs.push((cpuMs(dashboard) - before) / SECONDS);
    return cost;
  };
  const absent = async () => {
    process.kill(dashboard, 'SIGSTOP');
    return load().finally(() => process.kill(dashboard, 'SIGCONT'));
  };

  await load(WARM_UP_SECONDS);
  const sides = [open, closed, absent].map((measure) => ({ measure, costs: [] as number[] }));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { measure, costs } of round % 2 ? sides.toReversed() : sides) {
      costs.push(await measure());
    }
  }
  const [opened = [], without = [], none = []] = sides.map(({ costs }) => costs);
  const over = (costs: number[], base: number[]) => costs.map((us, i) => us / (base[i] ?? NaN));
  const of = 'CPU time of 3 instances';
  return [
    figure('CPU of a request, no page', 'µs', without, { note: `${of} at ${PER_SECOND}/s` }),
    figure('CPU, a page over none', 'times', over(opened, without), { target: TARGET, note: of }),
    figure('CPU, no page over no dashboard', 'times', over(without, none), {
      note: `${of}; a dashboard that is stopped by SIGSTOP asks for nothing`,
    }),
    figure('dashboard, no page', 'ms/s', dashboardMs, { note: 'its own CPU time' }),
  ];
}
