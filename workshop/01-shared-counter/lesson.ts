import { Visitor } from '../../tools/lib/visitor.ts';
import type { DeploymentOptions, Environment } from '../kit/environment.ts';
import { exactly, lesson } from '../kit/lesson.ts';

const VIEWS = 9;

/** One visitor, who keeps the cookie, views the page nine times. */
async function observe(environment: Environment, options: DeploymentOptions) {
  const { url } = await environment.start(options);
  const replies = await new Visitor(url).viewInTurn(VIEWS);
  return {
    'views, in turn': replies.map(({ views }) => views).join(' '),
    'instances that answered': new Set(replies.map(({ instance }) => instance)).size,
    'sessions of one visitor': new Set(replies.map(({ session }) => session)).size,
  };
}

export default lesson({
  claim:
    'With sessions in the memory of each instance, the counter starts again at every request; with sessions in Redis, it continues on every instance.',
  wrong: {
    summary: 'SESSION_STORE=memory: each instance keeps its own sessions',
    predicted: {
      'views, in turn': exactly('1 1 1 1 1 1 1 1 1'),
      'instances that answered': exactly(3),
      'sessions of one visitor': exactly(9),
    },
    observe: (environment) => observe(environment, { env: { SESSION_STORE: 'memory' } }),
  },
  right: {
    summary: 'sessions in Redis',
    predicted: {
      'views, in turn': exactly('1 2 3 4 5 6 7 8 9'),
      'instances that answered': exactly(3),
      'sessions of one visitor': exactly(1),
    },
    observe: (environment) => observe(environment, {}),
  },
  verdict: (wrong, right) =>
    `With memory stores, three instances created ${wrong['sessions of one visitor']} sessions for one visitor; with Redis it is ${right['sessions of one visitor']}.`,
});
