import { eventually } from '../../tools/lib/eventually.ts';
import { send } from '../../tools/lib/visitor.ts';
import type { Lab } from '../kit/lab.ts';
import { atLeast, exactly, lesson } from '../kit/lesson.ts';

const REQUESTS = 60;
/** Long enough for all of them to arrive while the first one waits for the origin. */
const ORIGIN_DELAY_MS = '300';

/** An entry expires, and then 60 ask for it at once, of three instances. Resolves to the calls of the origin. */
async function callsAfterExpiry(lab: Lab, guard: 'off' | 'instance' | 'cluster'): Promise<number> {
  const env = { CACHE_GUARD: guard, CACHE_STALE_SECONDS: '0', ORIGIN_DELAY_MS };
  const site = await lab.start({ env });
  const data = `${site.url}/data`;
  await send(data);
  await site.redis('PEXPIRE', 'cache:data', '1'); // its minute is cut short
  await eventually(async () => {
    const isThere = await site.redis('EXISTS', 'cache:data');
    if (isThere !== '0') throw new Error('cache:data has not expired');
  });
  const replies = await Promise.all(Array.from({ length: REQUESTS }, () => send(data)));
  const failed = replies.find(({ status }) => status !== 200);
  if (failed) throw new Error(`GET /data answered ${failed.status}: ${failed.body}`);
  return replies.filter(({ body }) => body.startsWith('New')).length;
}

export default lesson({
  claim:
    'When an entry expires, each request that misses it calls the origin; a guard in each instance leaves one call for each instance, a lock in Redis leaves one in all.',
  wrong: {
    what: 'CACHE_GUARD=off, then CACHE_GUARD=instance',
    predicted: {
      'origin calls for 60 requests, off': atLeast(20),
      'origin calls for 60 requests, instance': exactly(3),
    },
    observe: async (lab) => ({
      'origin calls for 60 requests, off': await callsAfterExpiry(lab, 'off'),
      'origin calls for 60 requests, instance': await callsAfterExpiry(lab, 'instance'),
    }),
  },
  right: {
    what: 'CACHE_GUARD=cluster: one lock in Redis',
    predicted: { 'origin calls for 60 requests, cluster': exactly(1) },
    observe: async (lab) => ({
      'origin calls for 60 requests, cluster': await callsAfterExpiry(lab, 'cluster'),
    }),
  },
  verdict: (wrong, right) =>
    `One expiry cost the origin ${wrong['origin calls for 60 requests, off']} calls without a guard, ${wrong['origin calls for 60 requests, instance']} with one in each instance, ${right['origin calls for 60 requests, cluster']} with one for all.`,
});
