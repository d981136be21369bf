import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Reply, send, Visitor } from '../../tools/lib/visitor.ts';
import { type Lab, patient, type Setup, type Site } from '../kit/lab.ts';
import { atMost, exactly, lesson } from '../kit/lesson.ts';

/** Enough for each of three instances to have some of them. */
const REQUESTS = 9;
/** Milliseconds after which a visitor gives up. */
const PATIENCE_MS = 4000;
const KEY = 'key-of-the-lesson';

/** A visitor asks nine times while Redis hangs, and gives up after four seconds. */
async function askWithoutRedis(site: Site, visitor: Visitor) {
  await site.act('pause', 'redis');
  const from = performance.now();
  const asked = many(() => visitor.send());
  const replies = await Promise.all(
    asked.map((reply) => Promise.race([reply, delay(PATIENCE_MS)])),
  );
  const answered = replies.filter((reply) => reply !== undefined);
  return { asked, answered, ms: Math.round(performance.now() - from) };
}

async function observeWrong(lab: Lab, setup: Setup) {
  const site = await lab.start(setup);
  const visitor = new Visitor(site.url);
  await visitor.send();
  const { asked, answered } = await askWithoutRedis(site, visitor);
  await site.act('resume', 'redis');
  const late = await Promise.all(asked);
  return {
    'views answered within 4 s, of 9': answered.length,
    'views answered when Redis goes on': late.filter(({ status }) => status === 200).length,
  };
}

async function observeRight(lab: Lab, setup: Setup) {
  const site = await lab.start(setup);
  const visitor = new Visitor(site.url);
  await send(`${site.url}/data`);
  const { views: before } = await visitor.view();

  const { answered, ms } = await askWithoutRedis(site, visitor);
  const withoutRedis = await Promise.all(many(() => send(`${site.url}/data`)));
  await site.act('resume', 'redis');
  const { views } = await eventually(() => visitor.view());

  await failOrigin(site);
  await eventually(async () => {
    if (cacheOf([await send(`${site.url}/data`)]) !== 'STALE') throw new Error('still fresh');
  });
  const withoutOrigin = await Promise.all(many(() => send(`${site.url}/data`)));
  return {
    'views answered within 4 s, of 9': answered.length,
    'their status': statusOf(answered),
    'the longest wait, ms': ms,
    'views counted before, lost': Math.max(0, before + 1 - views),
    'views refused, counted all the same': Math.max(0, views - before - 1),
    'GET /data without Redis': `${statusOf(withoutRedis)} ${cacheOf(withoutRedis)}`,
    'GET /data without its origin': `${statusOf(withoutOrigin)} ${cacheOf(withoutOrigin)}`,
  };
}

/** Has the origin of all instances fail. Resolves when each of them has met with that. */
async function failOrigin({ url }: Site): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` };
  const body = JSON.stringify({ delayMs: 0, failurePercent: 100 });
  await send(`${url}/chaos/origin`, { method: 'PUT', headers, body });
  const failing = new Set<unknown>();
  let item = 0;
  await eventually(async () => {
    item += 1; // each time something that nobody has cached
    const { status, headers } = await send(`${url}/data/item-${item}`);
    if (status === 502) failing.add(headers['x-instance']);
    if (failing.size < 3) throw new Error('an instance still has its origin');
  });
}

function many(ask: () => Promise<Reply>): Promise<Reply>[] {
  return Array.from({ length: REQUESTS }, ask);
}

/** What all of them have, or each of it that there is. */
function statusOf(replies: Reply[]): string {
  return [...new Set(replies.map(({ status }) => status))].join(' ');
}

function cacheOf(replies: Reply[]): string {
  return [...new Set(replies.map(({ headers }) => headers['x-cache']))].join(' ');
}

export default lesson({
  claim:
    'Where the client of Redis has its defaults a visitor waits for as long as Redis hangs; with a deadline there is an answer within two seconds, and what can be served without Redis is served.',
  wrong: {
    what: 'createClient({ url }): no deadline for a command that was sent',
    predicted: {
      'views answered within 4 s, of 9': exactly(0),
      'views answered when Redis goes on': exactly(9),
    },
    observe: (lab) =>
      observeWrong(lab, {
        program: 'workshop/10-redis-goes-away/wrong-default-client.ts',
        nginx: { conf: patient },
      }),
  },
  right: {
    what: 'deadlines, and a cache that does without Redis or without the origin',
    predicted: {
      'views answered within 4 s, of 9': exactly(9),
      'their status': exactly('503'),
      'the longest wait, ms': atMost(3000),
      'views counted before, lost': exactly(0),
      'views refused, counted all the same': atMost(9),
      'GET /data without Redis': exactly('200 BYPASS'),
      'GET /data without its origin': exactly('200 STALE'),
    },
    observe: (lab) =>
      observeRight(lab, {
        nginx: { conf: patient },
        env: {
          FAULT_INJECTION: 'on',
          PRESENTER_KEY: KEY,
          CACHE_TTL_SECONDS: '1',
          CACHE_STALE_SECONDS: '600',
        },
      }),
  },
  verdict: (wrong, right) =>
    `While Redis hung, ${wrong['views answered within 4 s, of 9']} of 9 requests were answered within 4 s by the client with its defaults, and ${right['views answered within 4 s, of 9']} by the one with a deadline, after ${right['the longest wait, ms']} ms at the most.`,
});
