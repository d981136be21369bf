import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Reply, send, Visitor } from '../../tools/lib/visitor.ts';
import {
  type Deployment,
  type DeploymentOptions,
  type Environment,
  longNginxTimeouts,
} from '../kit/environment.ts';
import { atMost, exactly, harm, lesson, neutral } from '../kit/lesson.ts';

/** Enough for each of three instances to get some of them. */
const REQUESTS = 9;
/** Milliseconds after which a visitor gives up. */
const PATIENCE_MS = 4000;
const KEY = 'presenter-key-of-the-lesson';

/** A visitor sends nine requests while Redis hangs, and gives up after four seconds. */
async function askWithoutRedis(deployment: Deployment, visitor: Visitor) {
  await deployment.control('pause', 'redis');
  const from = performance.now();
  const asked = repeat(() => visitor.send());
  const replies = await Promise.all(
    asked.map((reply) => Promise.race([reply, delay(PATIENCE_MS)])),
  );
  const answered = replies.filter((reply) => reply !== undefined);
  return { asked, answered, ms: Math.round(performance.now() - from) };
}

async function observeWrong(environment: Environment, options: DeploymentOptions) {
  const deployment = await environment.start(options);
  const visitor = new Visitor(deployment.url);
  await visitor.send();
  const { asked, answered } = await askWithoutRedis(deployment, visitor);
  await deployment.control('resume', 'redis');
  const late = await Promise.all(asked);
  return {
    'views answered within 4 s, of 9': answered.length,
    'views answered after Redis resumes': late.filter(({ status }) => status === 200).length,
  };
}

async function observeRight(environment: Environment, options: DeploymentOptions) {
  const deployment = await environment.start(options);
  const visitor = new Visitor(deployment.url);
  const getData = () => send(`${deployment.url}/data`);
  await getData();
  const { views: before } = await visitor.view();

  const { answered, ms } = await askWithoutRedis(deployment, visitor);
  const withoutRedis = await Promise.all(repeat(getData));
  await deployment.control('resume', 'redis');
  const { views } = await eventually(() => visitor.view());

  await failOrigin(deployment);
  await eventually(async () => {
    if (cacheResults([await getData()]) !== 'STALE') throw new Error('still fresh');
  });
  const withoutOrigin = await Promise.all(repeat(getData));
  return {
    'views answered within 4 s, of 9': answered.length,
    'status of these answers': statuses(answered),
    'longest wait, ms': ms,
    'earlier views lost': Math.max(0, before + 1 - views),
    'views refused, but counted later': Math.max(0, views - before - 1),
    'GET /data without Redis': `${statuses(withoutRedis)} ${cacheResults(withoutRedis)}`,
    'GET /data without its origin': `${statuses(withoutOrigin)} ${cacheResults(withoutOrigin)}`,
  };
}

/** Makes the origin fail. Resolves once each instance has seen a failure. */
async function failOrigin({ url }: Deployment): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` };
  const body = JSON.stringify({ delayMs: 0, failurePercent: 100 });
  await send(`${url}/dashboard/faults/origin`, { method: 'PUT', headers, body });
  const failing = new Set<unknown>();
  let item = 0;
  await eventually(async () => {
    item += 1; // a different item each time: it is not cached
    const { status, headers } = await send(`${url}/data/item-${item}`);
    if (status === 502) failing.add(headers['x-instance']);
    if (failing.size < 3) throw new Error('the origin of an instance still answers');
  });
}

function repeat(ask: () => Promise<Reply>): Promise<Reply>[] {
  return Array.from({ length: REQUESTS }, ask);
}

/** The distinct statuses. */
function statuses(replies: Reply[]): string {
  return [...new Set(replies.map(({ status }) => status))].join(' ');
}

/** The distinct values of X-Cache. */
function cacheResults(replies: Reply[]): string {
  return [...new Set(replies.map(({ headers }) => headers['x-cache']))].join(' ');
}

export default lesson({
  claim:
    'With the default Redis client, a visitor waits as long as Redis hangs. With deadlines, every visitor gets an answer within two seconds, and routes that can work without Redis do.',
  asks: [
    {
      way: 'wrong',
      figure: 'views answered within 4 s, of 9',
      question:
        'Redis hangs, and the Redis client has no deadlines. How many of nine requests get an answer within four seconds?',
    },
    {
      way: 'right',
      figure: 'status of these answers',
      question:
        'Redis hangs, and the Redis client has deadlines. Which status do the requests get?',
      choices: ['200', '404', '500', '503'],
    },
  ],
  wrong: {
    summary: 'createClient({ url }): no deadline for a command that was sent',
    predicted: {
      'views answered within 4 s, of 9': harm(exactly(0)),
      'views answered after Redis resumes': neutral(exactly(9)),
    },
    observe: (environment) =>
      observeWrong(environment, {
        program: 'workshop/10-redis-outage/wrong-default-client.ts',
        nginx: { conf: longNginxTimeouts },
      }),
  },
  right: {
    summary: 'deadlines, and a cache that works without Redis or without the origin',
    predicted: {
      'views answered within 4 s, of 9': exactly(9),
      'status of these answers': neutral(exactly('503')),
      'longest wait, ms': atMost(3000),
      'earlier views lost': exactly(0),
      'views refused, but counted later': neutral(atMost(9)),
      'GET /data without Redis': exactly('200 BYPASS'),
      'GET /data without its origin': exactly('200 STALE'),
    },
    observe: (environment) =>
      observeRight(environment, {
        nginx: { conf: longNginxTimeouts },
        env: {
          FAULT_INJECTION: 'on',
          PRESENTER_KEY: KEY,
          CACHE_TTL_SECONDS: '1',
          CACHE_STALE_SECONDS: '600',
        },
      }),
  },
  verdict: (wrong, right) =>
    `While Redis hung, the default client answered ${wrong['views answered within 4 s, of 9']} of 9 requests within 4 s; with deadlines it is ${right['views answered within 4 s, of 9']}, after at most ${right['longest wait, ms']} ms.`,
});
