import { eventually } from '../../tools/lib/eventually.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { redisInfo } from '../kit/client.ts';
import type { Deployment, Environment } from '../kit/environment.ts';
import { atLeast, atMost, exactly, harm, lesson, neutral } from '../kit/lesson.ts';

const VISITORS = 200;
const CONCURRENCY = 20;
/** Bytes that the flood may fill. It needs 30 MB and the overhead of Redis. */
const FREE_MEMORY = 10 * 2 ** 20;
const BATCHES = 10;
const ENTRIES_PER_BATCH = 3000;
/** Stores cache entries of 1 KB for a minute. */
const FLOOD = `
  for i = 1, ARGV[1] do
    redis.call('SET', 'cache:flood:' .. KEYS[1] .. ':' .. i, string.rep('x', 1024), 'EX', 60)
  end`;

/** Visitors get sessions; then cache entries need more memory than there is. */
async function observe(environment: Environment, policy: string) {
  const deployment = await environment.start();
  await deployment.redis('CONFIG', 'SET', 'maxmemory-policy', policy);
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(deployment.url));
  await viewAll(visitors);
  await untilIdle(deployment);
  const used = Number(await redisInfo(deployment, 'used_memory'));
  await deployment.redis('CONFIG', 'SET', 'maxmemory', String(used + FREE_MEMORY));
  for (let batch = 1; batch <= BATCHES; batch += 1) {
    await deployment.redis('EVAL', FLOOD, '1', String(batch), String(ENTRIES_PER_BATCH));
  }
  const sessions = await deployment.redis('EVAL', "return #redis.call('KEYS', 'sess:*')", '0');
  const evicted = await redisInfo(deployment, 'evicted_keys');
  const views = await viewAll(visitors);
  return {
    'keys evicted': Number(evicted),
    'sessions left of 200': Number(sessions),
    'visitors with a second view, of 200': views.filter((count) => count === 2).length,
  };
}

/**
 * Each visitor views the page once. Resolves to the views of each visitor, or 0 for an error: Redis can
 * evict a session in the middle of a request.
 */
async function viewAll(visitors: Visitor[]): Promise<number[]> {
  const views: number[] = [];
  for (let from = 0; from < visitors.length; from += CONCURRENCY) {
    const some = visitors.slice(from, from + CONCURRENCY);
    views.push(...(await Promise.all(some.map(viewsOf))));
  }
  return views;
}

async function viewsOf(visitor: Visitor): Promise<number> {
  const { status, body } = await visitor.send('/', { headers: { accept: 'application/json' } });
  return status === 200 ? JSON.parse(body).views : 0;
}

/** Resolves once no session was used for two seconds: the idle time of Redis counts in seconds. */
async function untilIdle(deployment: Deployment): Promise<void> {
  const [key = ''] = (await deployment.redis('KEYS', 'sess:*')).split('\n').slice(-1);
  await eventually(async () => {
    const seconds = Number(await deployment.redis('OBJECT', 'IDLETIME', key));
    if (seconds < 2) throw new Error(`a session was used ${seconds} s ago`);
  });
}

export default lesson({
  claim:
    'If Redis evicts the least recently used keys, a flood of cache entries logs all visitors out. If it evicts the keys that expire soonest, it evicts cache entries and no session.',
  asks: [
    {
      way: 'wrong',
      figure: 'sessions left of 200',
      question:
        'A flood of cache entries fills the memory. Redis evicts the least recently used keys. How many of 200 sessions are left?',
    },
    {
      way: 'right',
      figure: 'sessions left of 200',
      question:
        'A flood of cache entries fills the memory. Redis evicts the keys that expire soonest. How many of 200 sessions are left?',
    },
  ],
  wrong: {
    summary: 'maxmemory-policy allkeys-lru: the usual advice for a cache',
    predicted: {
      'keys evicted': neutral(atLeast(5000)),
      'sessions left of 200': harm(atMost(50)),
      'visitors with a second view, of 200': harm(atMost(50)),
    },
    observe: (environment) => observe(environment, 'allkeys-lru'),
  },
  right: {
    summary: 'maxmemory-policy volatile-ttl: the keys that expire soonest go first',
    predicted: {
      'keys evicted': neutral(atLeast(5000)),
      'sessions left of 200': exactly(200),
      'visitors with a second view, of 200': exactly(200),
    },
    observe: (environment) => observe(environment, 'volatile-ttl'),
  },
  verdict: (wrong, right) =>
    `The same flood of cache entries left ${wrong['sessions left of 200']} of 200 sessions with allkeys-lru, and ${right['sessions left of 200']} with volatile-ttl.`,
});
