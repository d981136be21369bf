import { setTimeout as delay } from 'node:timers/promises';
import { type Reply, send } from '../../tools/lib/visitor.ts';
import type { Environment } from '../kit/environment.ts';
import { atLeast, atMost, exactly, harm, lesson } from '../kit/lesson.ts';

const REQUESTS = 20;
const ORIGIN_DELAY_MS = '200';
/** Milliseconds after a DELETE; after that, no instance may answer with the old data. */
const MAX_STALE_MS = 100;

/** Sends twenty requests for the data, one after the other. */
async function observe(environment: Environment, cache: 'off' | 'redis' | 'local') {
  const { url } = await environment.start({ env: { CACHE: cache, ORIGIN_DELAY_MS } });
  const replies = await getDataInTurn(url);
  const hits = (cacheName: string) =>
    replies.filter(({ headers }) =>
      String(headers['cache-status']).startsWith(`${cacheName}; hit`),
    );
  return {
    url,
    medianMs: Math.round(replies.map(({ ms }) => ms).sort((a, b) => a - b)[REQUESTS / 2] ?? NaN),
    originCalls: replies.filter(({ body }) => !JSON.parse(body).cached).length,
    fromRedis: hits('redis').length,
    fromProcess: hits('local').length,
  };
}

/** Deletes the data from the cache. Resolves to the number of later answers that still have it. */
async function countStaleAnswers(url: string): Promise<number> {
  const loadOf = ({ body }: Reply): number => JSON.parse(body).load;
  const before = Math.max(...(await getDataInTurn(url)).map(loadOf));
  const { status, body } = await send(`${url}/data`, { method: 'DELETE' });
  if (status !== 204) throw new Error(`DELETE /data answered ${status}: ${body}`);
  await delay(MAX_STALE_MS);
  return (await getDataInTurn(url)).filter((reply) => loadOf(reply) <= before).length;
}

async function getDataInTurn(url: string): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (let i = 0; i < REQUESTS; i += 1) {
    const reply = await send(`${url}/data`, { headers: { accept: 'application/json' } });
    if (reply.status !== 200) throw new Error(`GET /data answered ${reply.status}: ${reply.body}`);
    replies.push(reply);
  }
  return replies;
}

export default lesson({
  claim:
    'Without a cache, every request waits for the origin. With a cache in Redis, one call serves all instances. A second cache in each process also saves requests to Redis, and is never stale.',
  asks: [
    {
      way: 'right',
      figure: 'redis: origin calls for 20 requests',
      question:
        'The cache is in Redis. Twenty requests reach three instances, one after the other. How many calls does the origin get?',
    },
    {
      way: 'right',
      figure: 'local: stale answers of 20 after DELETE',
      question:
        'Each process has a cache, and Redis too. The data changes, and one instance gets DELETE /data. How many of the next 20 answers are stale?',
    },
  ],
  wrong: {
    summary: 'CACHE=off: each request calls the origin, which takes 200 ms',
    predicted: {
      'median, ms': harm(atLeast(190)),
      'origin calls for 20 requests': harm(exactly(20)),
    },
    observe: async (environment) => {
      const { medianMs, originCalls } = await observe(environment, 'off');
      return { 'median, ms': medianMs, 'origin calls for 20 requests': originCalls };
    },
  },
  right: {
    summary: 'CACHE=redis, then CACHE=local: a cache in Redis, then also one in each process',
    predicted: {
      'redis: median, ms': atMost(100),
      'redis: origin calls for 20 requests': exactly(1),
      'redis: answers from Redis': exactly(19),
      'local: median, ms': atMost(100),
      'local: origin calls for 20 requests': exactly(1),
      'local: answers from the process': atLeast(5),
      'local: stale answers of 20 after DELETE': exactly(0),
    },
    observe: async (environment) => {
      const redis = await observe(environment, 'redis');
      const local = await observe(environment, 'local');
      return {
        'redis: median, ms': redis.medianMs,
        'redis: origin calls for 20 requests': redis.originCalls,
        'redis: answers from Redis': redis.fromRedis,
        'local: median, ms': local.medianMs,
        'local: origin calls for 20 requests': local.originCalls,
        'local: answers from the process': local.fromProcess,
        'local: stale answers of 20 after DELETE': await countStaleAnswers(local.url),
      };
    },
  },
  verdict: (wrong, right) =>
    `Without a cache, twenty requests took ${wrong['median, ms']} ms each and ${wrong['origin calls for 20 requests']} origin calls; with Redis, ${right['redis: median, ms']} ms and ${right['redis: origin calls for 20 requests']} call. The process answered ${right['local: answers from the process']} of 20 without Redis, and none was stale.`,
});
