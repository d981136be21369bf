import { setTimeout as delay } from 'node:timers/promises';
import { quoted } from '../../../tools/lib/errors.mjs';
import { eventually } from '../../../tools/lib/eventually.ts';
import { type Reply, send, Visitor } from '../../../tools/lib/visitor.ts';
import type { Action, Deployment } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { askedInstances, isFromNginx, viewsOf } from '../../kit/exercise-client.ts';

/** Milliseconds between two requests. */
const INTERVAL_MS = 25;
/** Milliseconds after which nginx asks the next instance. */
const NGINX_MS = 1800;
/** Milliseconds after which a visitor gives up. */
const PATIENCE_MS = 3000;
/** Milliseconds for the program to work again. */
const RECOVERY_MS = 5000;
const INSTANCES = 3;
const SOCKET_TIMEOUT =
  'They were answered only after no new commands came. The timeout of a socket begins again with each command that is sent, so it is no deadline.';

/** A way in which Redis is away. */
interface Outage {
  begin: Action;
  end: Action;
  requests: number;
  /** Why a program without a deadline does not answer. */
  cause: string;
}

const DEAD: Outage = {
  begin: 'kill',
  end: 'start',
  requests: 20,
  cause: 'Without a connection, the Redis client keeps each command until it is connected again.',
};

const HANGING: Outage = {
  begin: 'pause',
  end: 'resume',
  requests: 60, // for longer than one of them may wait, so that Redis gets commands all the time
  cause:
    'The connection to Redis is open, but no reply comes. The program waits for it longer than nginx waits for the program.',
};

/** Sends requests while Redis is away, and after it is back. */
async function survive(deployment: Deployment, outage: Outage): Promise<string> {
  const { url } = deployment;
  await viewsOf(new Visitor(url));
  await deployment.control(outage.begin, 'redis');
  const replies = await Promise.all(
    Array.from({ length: outage.requests }, async (_, i) => {
      await delay(i * INTERVAL_MS);
      return send(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => undefined);
    }),
  );
  mustBeRefused(replies, outage);
  await deployment.control(outage.end, 'redis');
  await mustRecover(url);
  return `503 for ${outage.requests} of ${outage.requests}`;
}

function mustBeRefused(replies: (Reply | undefined)[], { requests, cause }: Outage): void {
  const answered = replies.filter((reply) => reply !== undefined);
  const lost = answered.filter(isFromNginx);
  must(
    lost.length === 0,
    `${lost.length} of ${requests} requests were answered by nginx with ${lost[0]?.status}, because no instance answered.`,
  );
  const late = replies.filter((reply) => !reply || isLate(reply));
  const slow = answered.length > 0 ? SOCKET_TIMEOUT : cause;
  must(
    late.length === 0,
    `${late.length} of ${requests} requests were not answered within ${NGINX_MS / 1000} s. ${slow}`,
  );
  const done = answered.find(({ status }) => status === 200);
  must(
    !done,
    `A request was answered with 200 and ${quoted(done?.body ?? '')}, although Redis stored nothing. A visitor takes that for the truth.`,
  );
  const other = answered.find(({ status }) => status !== 503);
  must(
    !other,
    `A request was answered with ${other?.status}, not 503. A client cannot know that it may try again.`,
  );
}

/** nginx gave up on the instance that it had asked first. A reply that is only slow is not late. */
function isLate(reply: Reply): boolean {
  return reply.ms > NGINX_MS && askedInstances(reply).length > 1;
}

async function mustRecover(url: string): Promise<void> {
  const instances = new Set<string | undefined>();
  await eventually(async () => {
    const reply = await send(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (reply.status === 200) instances.add(askedInstances(reply).at(-1));
    if (instances.size < INSTANCES) throw new Error('not yet');
  }, RECOVERY_MS).catch(() => {});
  must(
    instances.size === INSTANCES,
    `${INSTANCES - instances.size} of ${INSTANCES} instances did not answer GET / with 200 within ${RECOVERY_MS / 1000} s after Redis was back. They do not connect to Redis again.`,
  );
}

const exercise: Exercise = {
  lesson: 'redis-outage',
  rule: 'Every wait has a deadline, and no reply says "done" before the change is stored.',
  steps: [
    {
      title: 'While Redis is dead, visitors get 503 at once; then views go on',
      run: (deployment) => survive(deployment, DEAD),
    },
    {
      title: 'While Redis hangs, visitors get 503 in time; then views go on',
      run: (deployment) => survive(deployment, HANGING),
    },
  ],
};

export default exercise;
