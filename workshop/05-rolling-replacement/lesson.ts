import { setTimeout as delay } from 'node:timers/promises';
import { Visitor } from '../../tools/lib/visitor.ts';
import { type Lab, meanwhile, PATIENT, patient, replaced } from '../kit/lab.ts';
import { atLeast, exactly, lesson } from '../kit/lesson.ts';

const VISITORS = 24;
/** Two of three: enough to see it, and the lesson is shorter. */
const INSTANCES = ['app-1', 'app-2'];
/** Milliseconds from a reply to the next request of a visitor. */
const THINK_MS = 50;
/** Milliseconds for which Redis is busy with something else, so that requests are under way for certain. */
const HICCUP_MS = 200;

const ADD_TEA = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"item":"tea","quantity":1}',
};

/** Out of the box nginx does not send a POST again that an instance may have begun. */
const asItComes = (conf: string) =>
  replaced(replaced(conf, ' non_idempotent;', ';'), 'error_page 502 504 = @again;', '');

/** Instances are replaced, one after the other, while visitors go on filling their carts. */
async function observe(lab: Lab, program: string, conf: (text: string) => string) {
  const site = await lab.start({ program, env: PATIENT, nginx: { conf } });
  let isReplacing = true;
  let sent = 0;
  let failed = 0;
  const fill = async () => {
    const visitor = new Visitor(site.url);
    let added = 0;
    while (isReplacing) {
      const { status } = await visitor.send('/cart', ADD_TEA);
      sent += 1;
      if (status === 200) added += 1;
      else failed += 1;
      await delay(THINK_MS);
    }
    const { tea } = JSON.parse((await visitor.send('/cart')).body);
    return Math.max(0, added - tea);
  };
  const lost = meanwhile(Promise.all(Array.from({ length: VISITORS }, fill)));
  for (const instance of INSTANCES) {
    await site.act('pause', 'redis');
    await delay(HICCUP_MS);
    const stopped = site.act('stop', instance);
    await site.act('resume', 'redis');
    await stopped;
    await site.act('start', instance);
  }
  isReplacing = false;
  const sum = (await lost).reduce((total, its) => total + its, 0);
  return { 'requests sent': sent, 'requests failed': failed, 'things lost from carts': sum };
}

export default lesson({
  claim:
    'An instance that ends at once when it is asked to breaks the requests in its hands; one that finishes them first can be replaced in the middle of the day.',
  wrong: {
    what: 'no drain: the process exits at SIGTERM; nginx as it comes',
    predicted: {
      'requests sent': atLeast(100),
      'requests failed': atLeast(3),
      'things lost from carts': exactly(0),
    },
    observe: (lab) =>
      observe(lab, 'workshop/05-rolling-replacement/wrong-exit-at-once.ts', (conf) =>
        asItComes(patient(conf)),
      ),
  },
  right: {
    what: 'drain: finish what is there, then exit; nginx asks another where the door is closed',
    predicted: {
      'requests sent': atLeast(100),
      'requests failed': exactly(0),
      'things lost from carts': exactly(0),
    },
    observe: (lab) => observe(lab, 'services/app/main.ts', patient),
  },
  verdict: (wrong, right) =>
    `Two instances replaced under load: ${wrong['requests failed']} requests failed without a drain, ${right['requests failed']} with it.`,
});
