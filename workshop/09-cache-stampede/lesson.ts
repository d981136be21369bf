import { eventually } from '../../tools/lib/eventually.ts';
import { send } from '../../tools/lib/visitor.ts';
import type { Environment } from '../kit/environment.ts';
import { atLeast, exactly, harm, lesson } from '../kit/lesson.ts';

const REQUESTS = 60;
/** Long enough for all requests to arrive while the first one waits for the origin. */
const ORIGIN_DELAY_MS = '300';

/** Lets an entry expire and sends 60 requests at once. Resolves to the number of origin calls. */
async function callsAfterExpiry(
  environment: Environment,
  guard: 'off' | 'instance' | 'cluster',
): Promise<number> {
  const env = { CACHE_GUARD: guard, CACHE_STALE_SECONDS: '0', ORIGIN_DELAY_MS };
  const deployment = await environment.start({ env });
  const data = `${deployment.url}/data`;
  await send(data);
  await deployment.redis('PEXPIRE', 'cache:{data}', '1'); // instead of a minute
  await eventually(async () => {
    const exists = await deployment.redis('EXISTS', 'cache:{data}');
    if (exists !== '0') throw new Error('cache:data has not expired');
  });
  const replies = await Promise.all(Array.from({ length: REQUESTS }, () => send(data)));
  const failed = replies.find(({ status }) => status !== 200);
  if (failed) throw new Error(`GET /data answered ${failed.status}: ${failed.body}`);
  return replies.filter(({ body }) => body.startsWith('New')).length;
}

export default lesson({
  claim:
    'When an entry expires, every request that misses it calls the origin. Single-flight in each instance leaves one call per instance, and a lock in Redis leaves one call in total.',
  scene: 7,
  asks: [
    {
      way: 'wrong',
      figure: 'origin calls for 60 requests, off',
      question:
        'A cache entry expires, and 60 requests arrive at once. How many calls does the origin get without any guard?',
    },
    {
      way: 'wrong',
      figure: 'origin calls for 60 requests, instance',
      question:
        'A cache entry expires, and 60 requests arrive at once. Each of three instances lets one request load while its others wait. How many calls does the origin get?',
    },
  ],
  wrong: {
    summary: 'CACHE_GUARD=off, then CACHE_GUARD=instance',
    predicted: {
      'origin calls for 60 requests, off': harm(atLeast(20)),
      'origin calls for 60 requests, instance': harm(exactly(3)),
    },
    observe: async (environment) => ({
      'origin calls for 60 requests, off': await callsAfterExpiry(environment, 'off'),
      'origin calls for 60 requests, instance': await callsAfterExpiry(environment, 'instance'),
    }),
  },
  right: {
    summary: 'CACHE_GUARD=cluster: one lock in Redis',
    predicted: { 'origin calls for 60 requests, cluster': exactly(1) },
    observe: async (environment) => ({
      'origin calls for 60 requests, cluster': await callsAfterExpiry(environment, 'cluster'),
    }),
  },
  verdict: (wrong, right) =>
    `One expiry caused ${wrong['origin calls for 60 requests, off']} origin calls without a guard, ${wrong['origin calls for 60 requests, instance']} with single-flight in each instance, and ${right['origin calls for 60 requests, cluster']} with a lock in Redis.`,
});
