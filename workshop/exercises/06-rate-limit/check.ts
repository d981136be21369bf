import { setTimeout as delay } from 'node:timers/promises';
import { quoted } from '../../../tools/lib/errors.mjs';
import { type Reply, send } from '../../../tools/lib/visitor.ts';
import type { Deployment } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { endlessKeys, keysOf } from '../../kit/exercise-client.ts';

const LIMIT = 10;
const WINDOW_SECONDS = 2;
const REQUESTS = 60;
/** Milliseconds that Redis stands still, so that all requests ask it for their count at once. */
const PAUSE_MS = 200;
/** Milliseconds between two requests of a client that does not stop. */
const INTERVAL_MS = 100;
/** A slow machine may answer late. */
const MAX_WINDOW_MS = WINDOW_SECONDS * 1000 + 1000;

/** @throws {Error} if the reply is neither 200 nor 429 */
async function search({ url }: Deployment, apiKey: string): Promise<Reply> {
  const reply = await send(`${url}/search`, { headers: { 'x-api-key': apiKey } });
  const { status, body } = reply;
  must(
    status === 200 || status === 429,
    `GET /search answered ${status} with ${quoted(body)}, neither 200 nor 429.`,
  );
  return reply;
}

async function searchAtOnce(deployment: Deployment, apiKey: string) {
  await deployment.redis('CLIENT', 'PAUSE', String(PAUSE_MS), 'ALL');
  const requests = Array.from({ length: REQUESTS }, () => search(deployment, apiKey));
  const replies = await Promise.all(requests);
  const refused = replies.filter(({ status }) => status === 429);
  return { allowed: REQUESTS - refused.length, refused };
}

const exercise: Exercise = {
  lesson: 'shared-counter',
  rule: 'A limit for all instances needs one counter for all instances, and the first request sets its end.',
  steps: [
    {
      title: `Of ${REQUESTS} requests at once, ${LIMIT} are allowed`,
      async run(deployment) {
        let { allowed, refused } = await searchAtOnce(deployment, 'ada');
        // A second window may begin between two of the requests, but not twice in a row.
        if (allowed > LIMIT) ({ allowed, refused } = await searchAtOnce(deployment, 'ben'));
        const keys = await keysOf(deployment);
        const shown = `${REQUESTS} requests with one API key arrived at once, and ${allowed} were allowed, not ${LIMIT}.`;
        must(
          allowed === LIMIT || keys.length > 0,
          `${shown} Redis is empty: each instance counts for itself, and knows nothing of the requests that the others allow.`,
        );
        must(
          allowed <= LIMIT,
          `${shown} Requests read the same count in Redis, before one of them has stored the next one. Counting must be one step, for all instances.`,
        );
        must(allowed === LIMIT, `${shown} The limit is too strict.`);
        const waits = new Set(refused.map(({ headers }) => headers['retry-after']));
        must(
          [...waits].every((wait) => Number(wait) >= 1 && Number(wait) <= WINDOW_SECONDS),
          `A reply with status 429 has the header Retry-After: ${[...waits].join(', ') || 'none'}. It has to be a number of seconds, 1 or ${WINDOW_SECONDS}. Otherwise a client does not know when to try again.`,
        );
        return `${allowed} of ${REQUESTS}`;
      },
    },
    {
      title: 'A client at its limit does not affect another one',
      async run(deployment) {
        for (let i = 0; i < LIMIT; i += 1) await search(deployment, 'eve');
        const { status } = await search(deployment, 'finn');
        must(
          status === 200,
          `A client used up its limit. Then the first request of another API key got ${status}. Each API key needs its own counter.`,
        );
        return 'each API key has a limit';
      },
    },
    {
      title: 'A client that does not stop is allowed again after the window',
      async run(deployment) {
        let status = 200;
        // Twice the limit, because a second window may begin meanwhile.
        for (let i = 0; i <= 2 * LIMIT && status === 200; i += 1)
          ({ status } = await search(deployment, 'gus'));
        const [endless] = await endlessKeys(deployment);
        must(
          endless === undefined,
          `The key ${endless} never expires. A client that reached the limit once is refused forever.`,
        );
        const start = Date.now();
        while (status === 429) {
          const ms = Date.now() - start;
          must(
            ms <= MAX_WINDOW_MS,
            `A client reached the limit and went on with a request every ${INTERVAL_MS} ms. After ${(ms / 1000).toFixed(1)} s it is still refused: each request moves the end of the window. Only the first request may set it.`,
          );
          await delay(INTERVAL_MS);
          ({ status } = await search(deployment, 'gus'));
        }
        return `after ${((Date.now() - start) / 1000).toFixed(1)} s`;
      },
    },
  ],
};

export default exercise;
