import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newVisitors } from '../../lib/load.ts';
import { cpuMs, HAS_PROC, pidsOf } from '../../lib/process-use.ts';
import { Stack } from '../../stack/stack.ts';
import { saturate } from '../autocannon.ts';
import { orderOf } from '../summary.ts';
import { type Figure, figure } from './figure.ts';

const ROUNDS = 9;
const SECONDS = 2;
const WARM_UP_SECONDS = 5;
/** So many that none of them reaches the limit of changes in a minute. */
const VISITORS = 64;

/** The traced shares of the requests, and the wanted requests per second over those with none. */
const SHARES = [
  { share: 0.01, target: { atLeast: 0.97 } },
  { share: 0.1, target: { atLeast: 0.85 } },
  { share: 1 },
];

/** Compares views with a share of them traced, and with none. */
export async function measureTracing(): Promise<Figure[]> {
  const receiver = createServer((req, res) => req.resume().on('end', () => res.end('{}')));
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = receiver.address() as AddressInfo;
    const settings = SHARES.map(({ share }) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: String(share),
    }));
    const all = [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, ...settings];
    return [...(HAS_PROC ? await compareCpu(all) : []), ...(await compareThroughput(all))];
  } finally {
    receiver.close();
  }
}

/** One instance for each of the settings in one stack: all of them get as many requests at a time. */
async function compareCpu(settings: NodeJS.ProcessEnv[]): Promise<Figure[]> {
  const env = (instance: string) => ({
    ...process.env,
    ...settings[Number(/\d+$/.exec(instance)?.[0]) - 1],
  });
  await using stack = await Stack.start({ scale: settings.length, env });
  const { view } = await viewsOf(stack);
  const pids = await pidsOf(stack.instances);
  await view(WARM_UP_SECONDS);
  const used: number[][] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = pids.map(cpuMs);
    await view(SECONDS);
    used.push(pids.map((pid, i) => cpuMs(pid) - (before[i] ?? NaN)));
  }
  return SHARES.map(({ share }, i) =>
    figure(
      `CPU of GET /, ${share * 100} % traced over none`,
      'times',
      used.map(([none = NaN, ...traced]) => (traced[i] ?? NaN) / none),
      { note: 'CPU time of an instance, beside one without tracing' },
    ),
  );
}

/** A stack for each of the settings, in turn. */
async function compareThroughput(settings: NodeJS.ProcessEnv[]): Promise<Figure[]> {
  await using stacks = new AsyncDisposableStack();
  const sides = [];
  for (const env of settings) {
    const stack = stacks.use(await Stack.start({ env: { ...process.env, ...env } }));
    const { view } = await viewsOf(stack);
    await view(WARM_UP_SECONDS);
    sides.push({ view, rates: [] as number[] });
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { view, rates } of orderOf(sides, round))
      rates.push((await view(SECONDS)).perSecond);
  }
  const [none, ...traced] = sides;
  return SHARES.map(({ share, target }, i) =>
    figure(
      `GET /, ${share * 100} % traced over none`,
      'times',
      (traced[i]?.rates ?? []).map((rate, round) => rate / (none?.rates[round] ?? NaN)),
      {
        ...(target && { target }),
        note: `requests/s; ${VISITORS} connections, 3 instances, the receiver on the same machine`,
      },
    ),
  );
}

async function viewsOf({ url }: Stack) {
  const cookies = await newVisitors(url, VISITORS);
  const requests = cookies.map((cookie) => ({ path: '/', cookie }));
  return { view: (seconds: number) => saturate(url, VISITORS, seconds, requests) };
}
