import { cpus } from 'node:os';
import { limitCpu, type Quota } from '../../lib/cpu-quota.ts';
import { newVisitors, saturate } from '../../lib/load.ts';
import { cpuMs, pidsOf } from '../../lib/process-use.ts';
import { median, sum } from '../../lib/statistics.ts';
import { Stack } from '../../stack/stack.ts';
import { type Figure, figure } from './figure.ts';

/** The share of one core for each instance; so small that six leave most of two cores unused. */
const SHARE = 0.1;
const COUNTS = [2, 3, 6];
const ROUNDS = 3;
const SECONDS = 5;
const WARM_UP_SECONDS = 10;
/** For each instance: enough to keep it busy, and few enough for the keep-alive limit of nginx. */
const CONNECTIONS = 20;
const VISITORS = 48;
/** Of the throughput if each instance added as much as the first. */
const TARGET = { atLeast: 0.9 };
/** The share of all cores in use at which the machine, and not the quota, is the limit. */
const FULL = 0.95;

/** The result of a load on some of the instances. */
interface Answered {
  perSecond: number;
  /** Microseconds of CPU time of an instance for each request. */
  cpuUs: number;
  /** The used share of the allowed CPU time. */
  used: number;
  /** The share of all cores that was in use. */
  machine: number;
}

/** Compares the throughput of several instances with that of one, with equal shares of a core. */
export async function measureCpuScaling(): Promise<Figure[]> {
  await using stack = await Stack.start({ scale: Math.max(...COUNTS) });
  const cookies = await newVisitors(stack.url, VISITORS);
  const requests = cookies.map((cookie) => ({ path: '/', cookie }));
  const pids = await pidsOf(stack.instances);
  const answer = async (count: number, seconds: number): Promise<Answered> => {
    await useOnly(stack, count);
    const usedMs = () => sum(pids.slice(0, count).map(cpuMs));
    const [before, cores] = [usedMs(), coreTimes()];
    const load = await saturate(stack.url, CONNECTIONS * count, seconds, requests);
    const [ms, after] = [usedMs() - before, coreTimes()];
    return {
      perSecond: load.perSecond,
      cpuUs: (ms * 1000) / (load.perSecond * load.seconds),
      used: ms / (SHARE * count * load.seconds * 1000),
      machine: 1 - (after.idle - cores.idle) / (after.all - cores.all),
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
  const rates = alone.map(({ perSecond }) => perSecond);
  const note = `${limit}; ${describe(alone)}`;
  const one = figure('GET /, 1 instance', 'requests/s', rates, { note });
  return [one, ...[...together].map(([count, its]) => gainOf(count, its, rates))];
}

/** Makes nginx use the first `count` instances only. The others keep running, warm and idle. */
async function useOnly(stack: Stack, count: number): Promise<void> {
  const app = stack.instances.slice(0, count).map((instance) => instance.port);
  stack.nginx.write({ app, dashboard: [stack.dashboard.port] });
  await stack.nginx.reload();
}

/** Milliseconds of all cores together since the start of the machine. */
function coreTimes(): { idle: number; all: number } {
  const cores = cpus().map(({ times }) => times);
  return {
    idle: sum(cores.map(({ idle }) => idle)),
    all: sum(cores.flatMap((times) => Object.values(times))),
  };
}

function gainOf(count: number, its: Answered[], alone: number[]): Figure {
  const gains = its.map(({ perSecond }, round) => perSecond / (count * (alone[round] ?? NaN)));
  const isFull = median(its.map(({ machine }) => machine)) >= FULL;
  const note = describe(its) + (isFull ? ': it is full, so there is no target' : '');
  const target = isFull ? {} : { target: TARGET };
  const name = `GET /, ${count} instances over ${count} times one`;
  return figure(name, 'times', gains, { ...target, note });
}

function describe(its: Answered[]): string {
  const middle = (what: keyof Answered, factor = 1) =>
    Math.round(median(its.map((some) => some[what])) * factor);
  return (
    `${middle('perSecond')} requests/s of ${middle('cpuUs')} µs of CPU each, ` +
    `${middle('used', 100)} % of the limit used, machine ${middle('machine', 100)} % busy`
  );
}
