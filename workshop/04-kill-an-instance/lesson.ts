import { setTimeout as delay } from 'node:timers/promises';
import { Visitor } from '../../test/support/http.ts';
import type { Lab } from '../kit/lab.ts';
import { atLeast, exactly, lesson } from '../kit/lesson.ts';

const VISITORS = 30;
const VICTIMS = ['app-1', 'app-2'];
/** Milliseconds for which Redis is busy with something else: the requests wait in the instances. */
const HICCUP_MS = 300;

/**
 * Thirty visitors each ask once, and an instance dies while it waits for Redis; then once more with
 * another instance. What the dead one has asked of Redis is done all the same, and nginx sends its
 * requests to the others.
 */
async function observe(lab: Lab, env: Record<string, string>) {
  const site = await lab.start({ env });
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(site.url));
  await Promise.all(visitors.map((visitor) => visitor.view()));

  let failed = 0;
  for (const victim of VICTIMS) {
    await site.act('pause', 'redis');
    const replies = visitors.map((visitor) =>
      visitor.view().catch(() => {
        failed += 1;
      }),
    );
    await delay(HICCUP_MS);
    await site.act('kill', victim);
    await site.act('resume', 'redis');
    await Promise.all(replies);
  }

  const asked = 1 + VICTIMS.length;
  const counted = await Promise.all(
    visitors.map(async (visitor) => (await visitor.view()).views - 1),
  );
  return {
    'requests failed, of 60': failed,
    'views lost': sumOf(counted.map((views) => asked - views)),
    'views counted twice': sumOf(counted.map((views) => views - asked)),
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
    what: 'DEDUPE=off: whatever arrives is counted',
    predicted: {
      'requests failed, of 60': exactly(0),
      'views lost': exactly(0),
      'views counted twice': atLeast(2),
    },
    observe: (lab) => observe(lab, { DEDUPE: 'off' }),
  },
  right: {
    what: 'DEDUPE=on: a request is counted once, however often nginx sends it',
    predicted: {
      'requests failed, of 60': exactly(0),
      'views lost': exactly(0),
      'views counted twice': exactly(0),
    },
    observe: (lab) => observe(lab, {}),
  },
  verdict: (wrong, right) =>
    `Nobody noticed the two deaths, but ${wrong['views counted twice']} views were counted twice; with the id of the request it is ${right['views counted twice']}.`,
});
