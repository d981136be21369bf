import { setTimeout as delay } from 'node:timers/promises';
import { Visitor } from '../../tools/lib/visitor.ts';
import { type Environment, LONG_TIMEOUTS, longNginxTimeouts } from '../kit/environment.ts';
import { atLeast, exactly, harm, lesson } from '../kit/lesson.ts';

const VISITORS = 60;
const VICTIM = 'app-1';
/** Milliseconds that Redis pauses: on a busy machine, requests take that long to reach the instances. */
const PAUSE_MS = 1000;

/**
 * Sixty visitors send one request each, and one instance dies while it waits for Redis. Redis still
 * runs the commands of the dead instance, and nginx sends its requests to the other instances.
 */
async function observe(environment: Environment, env: Record<string, string>) {
  const deployment = await environment.start({
    env: { ...LONG_TIMEOUTS, ...env },
    nginx: { conf: longNginxTimeouts },
  });
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(deployment.url));
  for (const visitor of visitors) await visitor.view();

  let failed = 0;
  await deployment.control('pause', 'redis');
  const replies = visitors.map((visitor) =>
    visitor.view().catch(() => {
      failed += 1;
    }),
  );
  await delay(PAUSE_MS);
  await deployment.control('kill', VICTIM);
  await deployment.control('resume', 'redis');
  await Promise.all(replies);

  const counted: number[] = [];
  for (const visitor of visitors) counted.push((await visitor.view()).views - 1);
  return {
    'requests failed, of 60': failed,
    'views lost': sumOfPositive(counted.map((views) => 2 - views)),
    'views counted twice': sumOfPositive(counted.map((views) => views - 2)),
  };
}

function sumOfPositive(numbers: number[]): number {
  return numbers.reduce((sum, number) => sum + Math.max(0, number), 0);
}

export default lesson({
  claim:
    'A proxy that retries hides the death of an instance, but counts twice what that instance had already done. With idempotency keys, each request counts once.',
  scene: 5,
  asks: [
    {
      way: 'wrong',
      figure: 'requests failed, of 60',
      question:
        'Sixty visitors send a request at once. One of three instances is killed, and nginx retries its requests. How many of the 60 fail?',
    },
    {
      way: 'wrong',
      figure: 'views counted twice',
      question:
        'Sixty visitors send a request at once. One of three instances is killed, and nginx retries its requests. How many views are counted twice?',
    },
  ],
  wrong: {
    summary: 'IDEMPOTENCY=off: every request that arrives is counted',
    predicted: {
      'requests failed, of 60': exactly(0),
      'views lost': exactly(0),
      'views counted twice': harm(atLeast(2)),
    },
    observe: (environment) => observe(environment, { IDEMPOTENCY: 'off' }),
  },
  right: {
    summary: 'IDEMPOTENCY=on: a request is counted once, however often nginx sends it',
    predicted: {
      'requests failed, of 60': exactly(0),
      'views lost': exactly(0),
      'views counted twice': exactly(0),
    },
    observe: (environment) => observe(environment, {}),
  },
  verdict: (wrong, right) =>
    `No visitor saw an error, but ${wrong['views counted twice']} views were counted twice; with idempotency keys it is ${right['views counted twice']}.`,
});
