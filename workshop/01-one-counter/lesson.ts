import { Visitor } from '../../tools/lib/visitor.ts';
import type { Lab, Setup } from '../kit/lab.ts';
import { exactly, lesson } from '../kit/lesson.ts';

const VIEWS = 9;

/** One visitor views the page nine times, and keeps the cookie. */
async function observe(lab: Lab, setup: Setup) {
  const { url } = await lab.start(setup);
  const seen = await new Visitor(url).viewInTurn(VIEWS);
  return {
    'views, in turn': seen.map(({ views }) => views).join(' '),
    'instances that answered': new Set(seen.map(({ instance }) => instance)).size,
    'sessions for one visitor': new Set(seen.map(({ session }) => session)).size,
  };
}

export default lesson({
  claim:
    'With sessions in the memory of each instance a visitor starts anew at every request; with sessions in Redis the count goes on, whoever answers.',
  wrong: {
    what: 'SESSION_STORE=memory: each instance keeps its own sessions',
    predicted: {
      'views, in turn': exactly('1 1 1 1 1 1 1 1 1'),
      'instances that answered': exactly(3),
      'sessions for one visitor': exactly(9),
    },
    observe: (lab) => observe(lab, { env: { SESSION_STORE: 'memory' } }),
  },
  right: {
    what: 'sessions in Redis',
    predicted: {
      'views, in turn': exactly('1 2 3 4 5 6 7 8 9'),
      'instances that answered': exactly(3),
      'sessions for one visitor': exactly(1),
    },
    observe: (lab) => observe(lab, {}),
  },
  verdict: (wrong, right) =>
    `Three instances with memories of their own made ${wrong['sessions for one visitor']} sessions out of one visitor; with Redis it is ${right['sessions for one visitor']}, whoever answers.`,
});
