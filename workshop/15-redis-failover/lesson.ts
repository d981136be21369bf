import { randomUUID } from 'node:crypto';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Reply, Visitor } from '../../tools/lib/visitor.ts';
import type { Deployment, Environment } from '../kit/environment.ts';
import { atMost, exactly, harm, lesson, neutral } from '../kit/lesson.ts';

const VIEWS = 20;
/** Milliseconds for the failover. A late one is a figure that contradicts the claim, not an error. */
const PATIENCE_MS = 30_000;

/** A visitor views the page while no replica follows the primary. Then the primary dies. */
async function observe(environment: Environment, REDIS_WAIT_REPLICAS: '0' | '1') {
  const deployment = await environment.start({ redis: 'sentinel', env: { REDIS_WAIT_REPLICAS } });
  const visitor = new Visitor(deployment.url);
  const before = await viewUntilAnswered(visitor);

  await breakReplication(deployment);
  const replies: Reply[] = [];
  for (let i = 0; i < VIEWS; i += 1) replies.push(await visitor.send());
  const count = (status: number) => replies.filter((reply) => reply.status === status).length;

  await deployment.control('kill', 'redis');
  const from = performance.now();
  const views = await viewUntilAnswered(visitor);
  return {
    'views answered 200 without replicas, of 20': count(200),
    'views answered 503 without replicas, of 20': count(503),
    'acknowledged views lost': before + count(200) + 1 - views,
    'ms until a view succeeds again': Math.round(performance.now() - from),
  };
}

/** Breaks the links to the replicas, and denies new ones. Redis and the Sentinels stay in touch. */
async function breakReplication(deployment: Deployment): Promise<void> {
  await deployment.redis('ACL', 'SETUSER', 'default', '-psync', '-sync');
  await deployment.redis('CLIENT', 'KILL', 'TYPE', 'replica');
}

/** Repeats a view, which is counted once, until it is answered. Resolves to the counter. */
async function viewUntilAnswered(visitor: Visitor): Promise<number> {
  const headers = { 'idempotency-key': randomUUID(), accept: 'application/json' };
  return eventually(async () => {
    const { status, body } = await visitor.send('/', { headers });
    if (status !== 200) throw new Error(`GET / answered ${status}: ${body}`);
    return JSON.parse(body).views;
  }, PATIENCE_MS);
}

export default lesson({
  claim:
    'If a primary dies before its replicas have the last changes, these are lost, although they were acknowledged. If each change waits for a replica, no acknowledged change is lost.',
  asks: [
    {
      way: 'wrong',
      figure: 'acknowledged views lost',
      question:
        'No replica gets changes any more. The primary answers 200 to 20 views, and then it dies. How many of these views are lost?',
    },
    {
      way: 'right',
      figure: 'views answered 200 without replicas, of 20',
      question:
        'Each change waits for a replica, but no replica gets changes. How many of 20 views are answered with 200?',
    },
  ],
  wrong: {
    summary: 'REDIS_WAIT_REPLICAS=0: a change is done when the primary has it',
    predicted: {
      'views answered 200 without replicas, of 20': neutral(exactly(VIEWS)),
      'views answered 503 without replicas, of 20': neutral(exactly(0)),
      'acknowledged views lost': harm(exactly(VIEWS)),
      'ms until a view succeeds again': atMost(10_000),
    },
    observe: (environment) => observe(environment, '0'),
  },
  right: {
    summary: 'REDIS_WAIT_REPLICAS=1: a change is done when a replica has it too',
    predicted: {
      'views answered 200 without replicas, of 20': neutral(exactly(0)),
      'views answered 503 without replicas, of 20': neutral(exactly(VIEWS)),
      'acknowledged views lost': exactly(0),
      'ms until a view succeeds again': atMost(10_000),
    },
    observe: (environment) => observe(environment, '1'),
  },
  verdict: (wrong, right) =>
    `The failover lost ${wrong['acknowledged views lost']} acknowledged views if changes did not wait for a replica, and ${right['acknowledged views lost']} if they did.`,
});
