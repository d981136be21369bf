import { setTimeout as delay } from 'node:timers/promises';
import { type Reply, send } from '../../tools/lib/visitor.ts';
import type { Lab } from '../kit/lab.ts';
import { atLeast, atMost, exactly, lesson } from '../kit/lesson.ts';

const REQUESTS = 20;
const ORIGIN_DELAY_MS = '200';
/** Milliseconds after which, as is promised, no instance answers any more with what was forgotten. */
const PROMISE_MS = 100;

/** Twenty requests for the data, one after the other. */
async function observe(lab: Lab, cache: 'off' | 'redis' | 'local') {
  const { url } = await lab.start({ env: { CACHE: cache, ORIGIN_DELAY_MS } });
  const replies = await askInTurn(url);
  const found = (where: string) =>
    replies.filter(({ headers }) => String(headers['cache-status']).startsWith(`${where}; hit`));
  return {
    url,
    medianMs: Math.round(replies.map(({ ms }) => ms).sort((a, b) => a - b)[REQUESTS / 2] ?? NaN),
    originCalls: replies.filter(({ body }) => !JSON.parse(body).cached).length,
    fromRedis: found('redis').length,
    fromProcess: found('local').length,
  };
}

/** The data changes, and all instances are told to forget it. Resolves to how many still answer with it. */
async function oldAnswers(url: string): Promise<number> {
  const loadOf = ({ body }: Reply): number => JSON.parse(body).load;
  const before = Math.max(...(await askInTurn(url)).map(loadOf));
  await send(`${url}/data`, { method: 'DELETE' });
  await delay(PROMISE_MS);
  return (await askInTurn(url)).filter((reply) => loadOf(reply) <= before).length;
}

async function askInTurn(url: string): Promise<Reply[]> {
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
    'Without a cache everybody waits for the origin; with one in Redis the origin is asked once for all instances, and what each process keeps besides spares Redis too and is never old.',
  wrong: {
    what: 'CACHE=off: each request asks the origin, which takes 200 ms',
    predicted: {
      'median, ms': atLeast(190),
      'origin calls for 20 requests': exactly(20),
    },
    observe: async (lab) => {
      const { medianMs, originCalls } = await observe(lab, 'off');
      return { 'median, ms': medianMs, 'origin calls for 20 requests': originCalls };
    },
  },
  right: {
    what: 'CACHE=redis, then CACHE=local: Redis, and what each process keeps of it',
    predicted: {
      'redis: median, ms': atMost(100),
      'redis: origin calls for 20 requests': exactly(1),
      'redis: answers from Redis': exactly(19),
      'local: median, ms': atMost(100),
      'local: origin calls for 20 requests': exactly(1),
      'local: answers from the process': atLeast(5),
      'local: old answers of 20 after DELETE': exactly(0),
    },
    observe: async (lab) => {
      const redis = await observe(lab, 'redis');
      const local = await observe(lab, 'local');
      return {
        'redis: median, ms': redis.medianMs,
        'redis: origin calls for 20 requests': redis.originCalls,
        'redis: answers from Redis': redis.fromRedis,
        'local: median, ms': local.medianMs,
        'local: origin calls for 20 requests': local.originCalls,
        'local: answers from the process': local.fromProcess,
        'local: old answers of 20 after DELETE': await oldAnswers(local.url),
      };
    },
  },
  verdict: (wrong, right) =>
    `Twenty requests took ${wrong['median, ms']} ms each and ${wrong['origin calls for 20 requests']} calls without a cache, ${right['redis: median, ms']} ms and ${right['redis: origin calls for 20 requests']} call with Redis; ${right['local: answers from the process']} of 20 did not even ask Redis, and none was old.`,
});
