import { eventually } from '../../tools/lib/eventually.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import type { Lab, Site } from '../kit/lab.ts';
import { atLeast, atMost, exactly, lesson } from '../kit/lesson.ts';

const VISITORS = 200;
/** How many of them ask at once. */
const AT_ONCE = 20;
const MB = 2 ** 20;
/** How much memory the flood finds, and how much it wants: 30 MB and what Redis needs besides. */
const ROOM = 10 * MB;
const BATCHES = 10;
const ENTRIES_OF_BATCH = 3000;
/** Cache entries of 1 KB, for a minute. */
const FLOOD = `
  for i = 1, ARGV[1] do
    redis.call('SET', 'cache:flood:' .. KEYS[1] .. ':' .. i, string.rep('x', 1024), 'EX', 60)
  end`;

/** Visitors have sessions; then the cache wants more memory than there is. */
async function observe(lab: Lab, policy: string) {
  const site = await lab.start();
  await site.redis('CONFIG', 'SET', 'maxmemory-policy', policy);
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(site.url));
  await viewAll(visitors);
  await untilIdle(site);
  await site.redis('CONFIG', 'SET', 'maxmemory', String((await info(site, 'used_memory')) + ROOM));
  for (let batch = 1; batch <= BATCHES; batch += 1) {
    await site.redis('EVAL', FLOOD, '1', String(batch), String(ENTRIES_OF_BATCH));
  }
  const sessions = await site.redis('EVAL', "return #redis.call('KEYS', 'sess:*')", '0');
  const evicted = await info(site, 'evicted_keys');
  const views = await viewAll(visitors);
  return {
    'keys evicted': evicted,
    'sessions left of 200': Number(sessions),
    'visitors at their second view, of 200': views.filter((its) => its === 2).length,
  };
}

/**
 * Each visitor views the page once. Resolves to the number that each of them saw, and to 0 for those
 * who were refused: a session can be evicted in the middle of its request.
 */
async function viewAll(visitors: Visitor[]): Promise<number[]> {
  const seen: number[] = [];
  for (let from = 0; from < visitors.length; from += AT_ONCE) {
    const some = visitors.slice(from, from + AT_ONCE);
    seen.push(...(await Promise.all(some.map(viewsOf))));
  }
  return seen;
}

async function viewsOf(visitor: Visitor): Promise<number> {
  const { status, body } = await visitor.send('/', { headers: { accept: 'application/json' } });
  return status === 200 ? JSON.parse(body).views : 0;
}

/** Resolves when nobody has used a session for two seconds: Redis counts in seconds who was used last. */
async function untilIdle(site: Site): Promise<void> {
  const [key = ''] = (await site.redis('KEYS', 'sess:*')).split('\n').slice(-1);
  await eventually(async () => {
    const seconds = Number(await site.redis('OBJECT', 'IDLETIME', key));
    if (seconds < 2) throw new Error(`a session was used ${seconds} s ago`);
  });
}

async function info(site: Site, field: string): Promise<number> {
  const text = await site.redis('INFO', 'everything');
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(text)?.[1]);
}

export default lesson({
  claim:
    'Where Redis evicts whatever was not used for the longest time, a flood of cache entries logs everybody out; where it evicts what would expire soonest, the cache pays and no session is lost.',
  wrong: {
    what: 'maxmemory-policy allkeys-lru: the usual advice for a cache',
    predicted: {
      'keys evicted': atLeast(5000),
      'sessions left of 200': atMost(50),
      'visitors at their second view, of 200': atMost(50),
    },
    observe: (lab) => observe(lab, 'allkeys-lru'),
  },
  right: {
    what: 'maxmemory-policy volatile-ttl: what expires soonest goes first',
    predicted: {
      'keys evicted': atLeast(5000),
      'sessions left of 200': exactly(200),
      'visitors at their second view, of 200': exactly(200),
    },
    observe: (lab) => observe(lab, 'volatile-ttl'),
  },
  verdict: (wrong, right) =>
    `The same flood of cache entries left ${wrong['sessions left of 200']} of 200 sessions under allkeys-lru, and ${right['sessions left of 200']} under volatile-ttl.`,
});
