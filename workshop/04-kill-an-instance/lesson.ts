import { setTimeout as delay } from 'node:timers/promises';
import { Visitor } from '../../tools/lib/visitor.ts';
import { type Lab, PATIENT, patient } from '../kit/lab.ts';
import { atLeast, exactly, lesson } from '../kit/lesson.ts';

const VISITORS = 60;
const VICTIM = 'app-1';
/** Milliseconds for which Redis is busy with something else: the requests wait in the instances. */
const HICCUP_MS = 300;

/**
 * Sixty visitors ask once each, and an instance dies while it waits for Redis. What the dead one has
 * asked of Redis is done all the same, and nginx sends its requests to the others.
 */
async function observe(lab: Lab, env: Record<string, string>) {
  const site = await lab.start({ env: { ...PATIENT, ...env }, nginx: { conf: patient } });
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(site.url));
  for (const visitor of visitors) await visitor.view();

  let failed = 0;
  await site.act('pause', 'redis');
  const replies = visitors.map((visitor) =>
    visitor.view().catch(() => {
      failed += 1;
    }),
  );
  await delay(HICCUP_MS);
  await site.act('kill', VICTIM);
  await site.act('resume', 'redis');
  await Promise.all(replies);

  const counted: number[] = [];
  for (const visitor of visitors) counted.push((await visitor.view()).views - 1);
  return {
    'requests failed, of 60': failed,
    'views lost': sumOf(counted.map((views) => 2 - views)),
    'views counted twice': sumOf(counted.map((views) => views - 2)),
  };
}

/** The sum of what is above zero. */
function sumOf(numbers: number[]): number {
  return numbers.reduce((sum, number) => sum + Math.max(0, number), 0);
}

export default lesson({
  claim:
    'A proxy that tries again hides the death of an instance, but counts twice what the dead one had done already, unless a request is known by its id.',
  wrong: {
    what: 'IDEMPOTENCY=off: whatever arrives is counted',
    predicted: {
      'requests failed, of 60': exactly(0),
      'views lost': exactly(0),
      'views counted twice': atLeast(2),
    },
    observe: (lab) => observe(lab, { IDEMPOTENCY: 'off' }),
  },
  right: {
    what: 'IDEMPOTENCY=on: a request is counted once, however often nginx sends it',
    predicted: {
      'requests failed, of 60': exactly(0),
      'views lost': exactly(0),
      'views counted twice': exactly(0),
    },
    observe: (lab) => observe(lab, {}),
  },
  verdict: (wrong, right) =>
    `Nobody noticed the death, but ${wrong['views counted twice']} views were counted twice; with the id of the request it is ${right['views counted twice']}.`,
});
