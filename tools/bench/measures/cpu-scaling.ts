import { Stack } from '../../stack/stack.ts';
import { median } from '../figures.ts';
import { cpuMs, limitCpu, type Quota } from './cpu-quota.ts';
import { type Figure, figure } from './figure.ts';
import { newVisitors, saturate } from './load.ts';
import { watchCores } from './machine-use.ts';

/** The share of one core that an instance may use: so little that six leave most of two cores to all else. */
const SHARE = 0.1;
const COUNTS = [2, 3, 6];
const ROUNDS = 3;
const SECONDS = 5;
const WARM_UP_SECONDS = 10;
/** For each instance: enough that it seldom waits for a request, and few enough that nginx keeps all open. */
const CONNECTIONS = 20;
const VISITORS = 48;
/** Of what the instances would answer if each added as much as the first. */
const TARGET = { atLeast: 0.9 };
/** The share of all cores in use from which on the machine is full, so that nothing can be added. */
const FULL = 0.95;

/** What some instances answered. */
interface Answered {
  perSecond: number;
  /** Microseconds of CPU time that an instance took for a request. */
  cpuUs: number;
  /** The share that they used of the CPU time that they might use. */
  used: number;
  /** The share of all cores that was in use. */
  machine: number;
}

/** How much more several instances answer than one, where each may use the same share of a core. */
export async function measureCpuScaling(): Promise<Figure[]> {
  await using stack = await Stack.start({ scale: Math.max(...COUNTS) });
  const cookies = await newVisitors(stack.url, VISITORS);
  const asks = cookies.map((cookie) => ({ path: '/', cookie }));
  const statuses = await Promise.all(stack.instances.map((instance) => instance.status()));
  const pids = statuses.map(({ pid }) => pid ?? 0);
  const usedMs = (count: number) => pids.slice(0, count).reduce((sum, pid) => sum + cpuMs(pid), 0);
  const answer = async (count: number, seconds: number): Promise<Answered> => {
    await use(stack, count);
    const before = usedMs(count);
    const machine = watchCores();
    const load = await saturate(stack.url, CONNECTIONS * count, seconds, asks);
    const ms = usedMs(count) - before;
    return {
      perSecond: load.perSecond,
      cpuUs: (ms * 1000) / (load.perSecond * load.seconds),
      used: ms / (SHARE * count * load.seconds * 1000),
      machine: machine(),
    };
  };
  await answer(pids.length, WARM_UP_SECONDS);

  const quotas: Quota[] = [];
  const alone: Answered[] = [];
  const together = new Map<number, Answered[]>(COUNTS.map((count) => [count, []]));
  try {
    for (const pid of pids) quotas.push(await limitCpu(pid, SHARE));
    for (let round = 0; round < ROUNDS; round += 1) {
      alone.push(await answer(1, SECONDS));
      for (const [count, its] of together) its.push(await answer(count, SECONDS));
    }
  } finally {
    await Promise.all(quotas.map((quota) => quota.lift()));
  }
  const limit = `each limited to ${SHARE * 100} % of a core by ${quotas[0]?.mechanism}`;
  const note = `${limit}; ${describe(alone)}`;
  const one = figure('GET /, 1 instance', 'requests/s', alone.map(rate), { note });
  return [one, ...[...together].map(([count, its]) => gainOf(count, its, alone))];
}

/** Has nginx ask the first `count` instances only; the others stay as they are, warm and idle. */
async function use(stack: Stack, count: number): Promise<void> {
  const app = stack.instances.slice(0, count).map((instance) => instance.port);
  stack.nginx.write({ app, dashboard: [stack.dashboard.port] });
  await stack.nginx.reload();
}

function rate({ perSecond }: Answered): number {
  return perSecond;
}

function gainOf(count: number, its: Answered[], alone: Answered[]): Figure {
  const gains = its.map((some, round) => rate(some) / (count * (alone[round]?.perSecond ?? NaN)));
  const isFull = median(its.map(({ machine }) => machine)) >= FULL;
  const note = describe(its) + (isFull ? ': it is full, so there is no target' : '');
  const target = isFull ? {} : { target: TARGET };
  return figure(`GET /, ${count} instances over ${count} times one`, 'times', gains, {
    ...target,
    note,
  });
}

function describe(its: Answered[]): string {
  const middle = (what: keyof Answered, factor = 1) =>
    Math.round(median(its.map((some) => some[what])) * factor);
  return (
    `${middle('perSecond')} requests/s of ${middle('cpuUs')} µs of CPU each, ` +
    `${middle('used', 100)} % of the limit used, machine ${middle('machine', 100)} % busy`
  );
}
