import { setTimeout as delay } from 'node:timers/promises';
import { Visitor } from '../../tools/lib/visitor.ts';
import {
  defaultRetries,
  type Environment,
  inBackground,
  LONG_TIMEOUTS,
  longNginxTimeouts,
} from '../kit/environment.ts';
import { atLeast, exactly, harm, lesson, neutral } from '../kit/lesson.ts';

const VISITORS = 24;
/** Two of three are enough to see the effect. */
const INSTANCES = ['app-1', 'app-2'];
/** Milliseconds between a reply and the next request of the visitor. */
const THINK_MS = 50;
/** Milliseconds that Redis pauses, so that some requests are certainly in progress. */
const PAUSE_MS = 200;
/** Milliseconds in which the signal to stop reaches an instance, also through Docker. */
const SIGNAL_MS = 1000;

/** Replaces the instances one after the other while visitors fill their carts. */
async function observe(environment: Environment, program: string, conf: (text: string) => string) {
  const deployment = await environment.start({ program, env: LONG_TIMEOUTS, nginx: { conf } });
  let isReplacing = true;
  let sent = 0;
  let failed = 0;
  const fillCart = async () => {
    const visitor = new Visitor(deployment.url);
    let added = 0;
    while (isReplacing) {
      const { status } = await visitor.post('/cart', { item: 'tea', quantity: 1 });
      sent += 1;
      if (status === 200) added += 1;
      else failed += 1;
      await delay(THINK_MS);
    }
    const { tea } = JSON.parse((await visitor.send('/cart')).body);
    return Math.max(0, added - tea);
  };
  const lost = inBackground(Promise.all(Array.from({ length: VISITORS }, fillCart)));
  for (const instance of INSTANCES) {
    await deployment.control('pause', 'redis');
    await delay(PAUSE_MS);
    const stopped = deployment.control('stop', instance);
    // An instance that finishes its requests cannot end before Redis is back.
    await Promise.race([stopped, delay(SIGNAL_MS)]);
    await deployment.control('resume', 'redis');
    await stopped;
    await deployment.control('start', instance);
  }
  isReplacing = false;
  const sum = (await lost).reduce((total, items) => total + items, 0);
  return { 'requests sent': sent, 'requests failed': failed, 'cart items lost': sum };
}

export default lesson({
  claim:
    'An instance that exits at once on SIGTERM breaks the requests in progress. An instance that finishes them first can be replaced during the day.',
  asks: [
    {
      way: 'wrong',
      figure: 'requests failed',
      question:
        'Two of three instances restart under load. Each exits at once on SIGTERM. How many requests fail?',
    },
    {
      way: 'right',
      figure: 'requests failed',
      question:
        'Two of three instances restart under load. Each finishes its requests before it exits. How many requests fail?',
    },
  ],
  wrong: {
    summary: 'no drain: the process exits on SIGTERM; nginx with its default retries',
    predicted: {
      'requests sent': neutral(atLeast(100)),
      'requests failed': harm(atLeast(3)),
      'cart items lost': exactly(0),
    },
    observe: (environment) =>
      observe(environment, 'workshop/08-rolling-update/wrong-exit-at-once.ts', (conf) =>
        defaultRetries(longNginxTimeouts(conf)),
      ),
  },
  right: {
    summary:
      'drain: finish requests, then exit; nginx retries refused requests on another instance',
    predicted: {
      'requests sent': neutral(atLeast(100)),
      'requests failed': exactly(0),
      'cart items lost': exactly(0),
    },
    observe: (environment) => observe(environment, 'services/app/main.ts', longNginxTimeouts),
  },
  verdict: (wrong, right) =>
    `Two instances replaced under load: ${wrong['requests failed']} requests failed without a drain, ${right['requests failed']} with it.`,
});
