import { cpus } from 'node:os';
import { limitCpu, type Quota } from '../../lib/cpu-quota.ts';
import { newVisitors } from '../../lib/load.ts';
import { pidsOf } from '../../lib/process-use.ts';
import { infoNumber, inRedis } from '../../lib/redis-client.ts';
import { median, sum } from '../../lib/statistics.ts';
import { Stack } from '../../stack/stack.ts';
import { saturate } from '../autocannon.ts';
import { cpuUse } from '../cpu-use.ts';
import { type CpuUse, mapCpu, orderOf } from '../summary.ts';
import { type Figure, figure } from './figure.ts';

/** The share of one core for each instance; so small that six leave most of two cores unused. */
const SHARE = 0.1;
/** So long that an instance answers many requests before it has to wait. */
const PERIOD_MS = 100;
const COUNTS = [1, 2, 3, 4, 6];
const ROUNDS = 9;
const SECONDS = 5;
const WARM_UP_SECONDS = 10;
/** Requests in progress for each instance: enough to keep it busy. */
const CONNECTIONS = 16;
const VISITORS = 96;
/** Of the throughput if each instance added as much as the first. */
const TARGET = { atLeast: 0.9 };
/** The share of all cores in use at which the machine, and not the quota, is the limit. */
const FULL = 0.95;

/** The result of a load on some of the instances. */
interface Answered {
  perSecond: number;
  /** Microseconds of CPU time for each request. */
  cpuUs: CpuUse;
  /** The used share of the CPU time that the instances may use. */
  used: number;
  /** The share of all cores that was in use. */
  machine: number;
  /** The mean number of requests that reach Redis together. */
  batch: number;
}

/** Compares the throughput of several instances with that of one, with equal shares of a core. */
export async function measureCpuScaling(): Promise<Figure[]> {
  const most = Math.max(...COUNTS);
  await using stack = await Stack.start({ scale: most });
  const cookies = await newVisitors(stack.url, VISITORS);
  const requests = cookies.map((cookie) => ({ path: '/', cookie }));
  const answer = async (count: number, seconds: number): Promise<Answered> => {
    await useOnly(stack, count);
    const before = await countersOf(stack, count);
    const load = await saturate(stack.url, CONNECTIONS * count, seconds, requests);
    const after = await countersOf(stack, count);
    const views = load.perSecond * load.seconds;
    const cpuUs = mapCpu((kind) => (after.cpuUs[kind] - before.cpuUs[kind]) / views);
    return {
      ...{ perSecond: load.perSecond, cpuUs },
      used: (cpuUs.instances * load.perSecond) / (SHARE * count * 1e6),
      machine: 1 - (after.idleMs - before.idleMs) / (after.allMs - before.allMs),
      batch: views / (after.reads - before.reads),
    };
  };
  await answer(most, WARM_UP_SECONDS);

  const quotas: Quota[] = [];
  const answers = new Map<number, Answered[]>(COUNTS.map((count) => [count, []]));
  try {
    for (const pid of await pidsOf(stack.instances)) {
      quotas.push(await limitCpu(pid, SHARE, { periodMs: PERIOD_MS }));
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const count of orderOf(COUNTS, round)) {
        answers.get(count)?.push(await answer(count, SECONDS));
      }
    }
  } finally {
    await Promise.all(quotas.map((quota) => quota.lift()));
  }
  const limit = `each limited to ${SHARE * 100} % of a core by ${quotas[0]?.mechanism}`;
  const [one = [], ...more] = answers.values();
  const rates = one.map(({ perSecond }) => perSecond);
  return [
    figure('GET /, 1 instance', 'requests/s', rates, { note: `${limit}. ${describe(one)}` }),
    ...more.map((its, i) => gainOf(COUNTS[i + 1] as number, its, rates)),
  ];
}

/**
 * Makes nginx use the first `count` instances only, each with as many requests in progress. The
 * others keep running, warm and idle.
 */
async function useOnly({ nginx, instances, dashboard }: Stack, count: number) {
  const app = instances.slice(0, count).map((instance) => instance.port);
  nginx.write({ app, dashboard: [dashboard.port] });
  await nginx.reload();
}

/** What has been used so far, of which the first `count` instances. */
async function countersOf({ instances, nginx, redis }: Stack, count: number) {
  const cpuUs = await cpuUse({ instances: instances.slice(0, count), nginx, redis });
  if (!cpuUs) throw new Error('the CPU time of a process can be measured on Linux only');
  const cores = cpus().map(({ times }) => times);
  return {
    cpuUs,
    /** Milliseconds of all cores together since the start of the machine. */
    idleMs: sum(cores.map(({ idle }) => idle)),
    allMs: sum(cores.flatMap((times) => Object.values(times))),
    reads: await inRedis(redis.url, (client) => infoNumber(client, 'total_reads_processed')),
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
  const middle = (of: (answered: Answered) => number) => Math.round(median(its.map(of)));
  const cpu = (kind: keyof CpuUse) => middle(({ cpuUs }) => cpuUs[kind]);
  const batch = median(its.map((answered) => answered.batch)).toFixed(1);
  return (
    `${middle(({ perSecond }) => perSecond)} requests/s. CPU of each: ${cpu('instances')} µs, ` +
    `nginx ${cpu('nginx')} µs, Redis ${cpu('redis')} µs. ${batch} reach Redis together. ` +
    `${middle(({ used }) => used * 100)} % of the limit used, ` +
    `machine ${middle(({ machine }) => machine * 100)} % busy`
  );
}
