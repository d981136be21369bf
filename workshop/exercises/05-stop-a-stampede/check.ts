import { quoted } from '../../../tools/lib/errors.mjs';
import { eventually } from '../../../tools/lib/eventually.ts';
import { type Reply, send } from '../../../tools/lib/visitor.ts';
import { type Deployment, longNginxTimeouts } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { endlessKeys, expireAll, keysOf } from '../../kit/exercise-client.ts';

const ORIGIN = 'origin:';
const REQUESTS = 100;
/** Milliseconds that Redis stands still, so that all requests ask it for the entry at once. */
const PAUSE_MS = 300;
/** Milliseconds in which every request must have its reply. */
const MAX_MS = 5000;
/** Attempts to end an instance before its load is done. */
const ATTEMPTS = 3;

/** Sends requests for the report at once. A request without a reply in time gets status 0. */
function requestsAtOnce({ url }: Deployment): Promise<Reply>[] {
  const late: Reply = { status: 0, headers: {}, body: '', ms: MAX_MS };
  return Array.from({ length: REQUESTS }, () =>
    send(`${url}/report`, { signal: AbortSignal.timeout(MAX_MS) }).catch(() => late),
  );
}

/** The instances that called the origin, in this order. */
async function callersOf(deployment: Deployment): Promise<string[]> {
  const callers = await deployment.redis('LRANGE', 'origin:calls', '0', '-1');
  return callers.split('\n').filter(Boolean);
}

/**
 * Waits for the next call of the origin.
 *
 * @param before the number of calls until now
 * @returns the instance that calls
 * @throws {Error} if no request leads to a call
 */
async function nextCaller(
  deployment: Deployment,
  before: number,
  requests: Promise<Reply>[],
): Promise<string> {
  try {
    return await eventually(async () => {
      const caller = (await callersOf(deployment))[before];
      must(caller, 'GET /report does not call the origin, although Redis has no entry.');
      return caller;
    }, 2000);
  } catch (err) {
    await assertAllGotIt(requests, 'Redis had no entry.');
    throw err;
  }
}

/** @throws {Error} if a request does not get the report */
async function assertAllGotIt(requests: Promise<Reply>[], situation: string): Promise<void> {
  const replies = await Promise.all(requests);
  const failed = replies.filter(({ status, body }) => status !== 200 || !/The report/.test(body));
  const [{ status, body } = { status: 200, body: '' }] = failed;
  const shown = `${situation} ${failed.length} of ${REQUESTS} requests did not get the report`;
  must(status !== 0, `${shown}: one had no reply after ${MAX_MS / 1000} s.`);
  must(
    status !== 500 && status !== 404,
    `${shown}: one got status ${status} with ${quoted(body)}.`,
  );
  must(
    failed.length === 0,
    `${shown}: one got status ${status} with ${quoted(body)}. If another request is loading, wait for its result.`,
  );
}

const exercise: Exercise = {
  lesson: 'cache-stampede',
  // A request may wait for longer than our timeouts, if a participant chooses a long lock.
  stack: { nginx: { conf: longNginxTimeouts } },
  rule: 'One request loads and the others wait, over all instances. A lock ends by itself, because its owner may die.',
  steps: [
    {
      title: `${REQUESTS} requests without an entry call the origin once`,
      async run(deployment) {
        await deployment.redis('CLIENT', 'PAUSE', String(PAUSE_MS), 'ALL');
        const requests = requestsAtOnce(deployment);
        await nextCaller(deployment, 0, requests);
        // After the first reply, the keys may include the entry.
        const loaded = Promise.race(requests).then(() => []);
        const locks = (await Promise.race([keysOf(deployment, ORIGIN), loaded])).join(', ');
        await assertAllGotIt(requests, 'Redis had no entry.');
        const calls = (await callersOf(deployment)).length;
        const shown = `${REQUESTS} requests at once caused ${calls} calls of the origin.`;
        must(
          calls === 1 || locks,
          calls > 3
            ? `${shown} Each request that finds no entry calls it: no request waits for the load of another one.`
            : `${shown} Requests wait for each other inside a process, but an instance does not know that another one is loading.`,
        );
        must(
          calls < 10,
          `${shown} During the load, Redis had the key ${locks}. But many requests saw that there was no lock, before one of them had set it. Looking and setting must be one step.`,
        );
        must(
          calls === 1,
          `${shown} During the load, Redis had the key ${locks}. A request that found no entry got the lock after its owner had released it. Look for the entry again when you have the lock.`,
        );
        return `${calls} call for ${REQUESTS} requests`;
      },
    },
    {
      title: 'The entry has a time to live',
      async run(deployment) {
        const [endless] = await endlessKeys(deployment, ORIGIN);
        must(
          endless === undefined,
          `The key ${endless} never expires. An entry would stay as it is, and a lock would stop all requests if its owner dies.`,
        );
        return 'each key expires';
      },
    },
    {
      title: 'If the instance that loads dies, the others get the report',
      async run(deployment) {
        for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
          const before = (await callersOf(deployment)).length;
          await expireAll(deployment, ORIGIN);
          const requests = requestsAtOnce(deployment);
          const dead = await nextCaller(deployment, before, requests);
          await deployment.control('kill', dead);
          const situation = `${dead} called the origin and died.`;
          const [endless] = await endlessKeys(deployment, ORIGIN);
          must(
            endless === undefined,
            `${situation} The key ${endless} is in Redis and never expires, so all others wait for a result that never comes.`,
          );
          await assertAllGotIt(requests, situation);
          const calls = (await callersOf(deployment)).length - before - 1;
          must(
            calls <= 1,
            `${situation} Then there were ${calls} more calls, not 1. All requests that waited loaded at once.`,
          );
          if (calls === 1) return `one more call after ${dead} died`;
          await deployment.control('start', dead);
        }
        throw new Error('All loads were done before the instance died. Run the check again.');
      },
    },
  ],
};

export default exercise;
