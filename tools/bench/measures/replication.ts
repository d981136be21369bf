import { newVisitors } from '../../lib/load.ts';
import { Stack } from '../../stack/stack.ts';
import { saturate } from '../autocannon.ts';
import { type Figure, figure } from './figure.ts';

const ROUNDS = 9;
const SECONDS = 2;
/** So many that none of them reaches the limit of changes in a minute. */
const VISITORS = 64;

/** Compares views that wait for a replica with views that do not, on a Redis with two replicas. */
export async function measureReplication(): Promise<Figure[]> {
  await using waiting = await start(1);
  await using other = await start(0);
  const sides = await Promise.all(
    [waiting, other].map(async ({ url }) => {
      const cookies = await newVisitors(url, VISITORS);
      const requests = cookies.map((cookie) => ({ path: '/', cookie }));
      return { view: () => saturate(url, VISITORS, SECONDS, requests), rates: [] as number[] };
    }),
  );
  for (const { view } of sides) await view();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { view, rates } of round % 2 ? sides.toReversed() : sides) {
      rates.push((await view()).perSecond);
    }
  }
  const [withWait = [], without = []] = sides.map(({ rates }) => rates);
  const ratios = withWait.map((rate, i) => rate / (without[i] ?? NaN));
  return [
    figure('GET /, REDIS_WAIT_REPLICAS=1 over 0', 'times', ratios, {
      note: `${VISITORS} connections, 3 instances, two replicas on the same machine`,
    }),
  ];
}

function start(replicas: number): Promise<Stack> {
  const env = { ...process.env, REDIS_WAIT_REPLICAS: String(replicas) };
  return Stack.start({ redis: 'sentinel', env });
}
