import { Visitor } from '../../tools/lib/visitor.ts';
import type { Deployment, DeploymentOptions, Environment } from '../kit/environment.ts';
import { exactly, harm, lesson, neutral } from '../kit/lesson.ts';

const VIEWS = 9;
const MINIMAL = {
  program: 'services/minimal/main.ts',
  env: { SESSION_SECRET: 'the-secret-of-this-lesson-and-no-other' },
};

/** One visitor, who keeps the cookie, views the page nine times. */
async function observe(environment: Environment, options: DeploymentOptions) {
  const deployment = await environment.start(options);
  const visitor = new Visitor(deployment.url);
  const views: string[] = [];
  const instances = new Set<unknown>();
  const sessions = new Set<string>();
  for (let i = 0; i < VIEWS; i += 1) {
    const { body, headers } = await visitor.send();
    views.push(body.replace('Views: ', ''));
    instances.add(headers['x-instance']);
    sessions.add(visitor.cookie);
  }
  return { deployment, views: views.join(' '), instances: instances.size, sessions: sessions.size };
}

/** A visitor without a cookie sends nine requests at once, or one before the other eight. */
async function sessionsOfBurst({ url }: Deployment, asksOnce: boolean): Promise<number> {
  const visitor = new Visitor(url);
  const seen = asksOnce ? [await visitor.view()] : [];
  seen.push(...(await visitor.viewAtOnce(VIEWS - seen.length)));
  return new Set(seen.map(({ session }) => session)).size;
}

export default lesson({
  claim:
    'With sessions in the memory of each instance, the counter starts again at every request. With sessions in Redis, it continues on every instance.',
  scene: 2,
  asks: [
    {
      way: 'wrong',
      figure: 'views, in turn',
      question:
        'One visitor views the page nine times, on three instances. Sessions are in the memory of each instance. Which numbers does the visitor see?',
      choices: ['1 1 1 2 2 2 3 3 3', '1 2 3 1 2 3 1 2 3', '1 1 1 1 1 1 1 1 1', '1 2 3 4 5 6 7 8 9'],
    },
    {
      way: 'right',
      figure: 'views, in turn',
      question:
        'One visitor views the page nine times, on three instances. Sessions are in Redis. Which numbers does the visitor see?',
      choices: ['1 1 1 2 2 2 3 3 3', '1 2 3 1 2 3 1 2 3', '1 1 1 1 1 1 1 1 1', '1 2 3 4 5 6 7 8 9'],
    },
  ],
  wrong: {
    summary: 'SESSION_STORE=memory: each instance keeps its own sessions',
    predicted: {
      'views, in turn': harm(exactly('1 1 1 1 1 1 1 1 1')),
      'instances that answered': neutral(exactly(3)),
      'sessions of one visitor': harm(exactly(9)),
    },
    observe: async (environment) => {
      const seen = await observe(environment, { env: { SESSION_STORE: 'memory' } });
      return {
        'views, in turn': seen.views,
        'instances that answered': seen.instances,
        'sessions of one visitor': seen.sessions,
      };
    },
  },
  right: {
    summary: 'sessions in Redis, with services/minimal and with services/app',
    predicted: {
      'minimal: views, in turn': exactly('1 2 3 4 5 6 7 8 9'),
      'minimal: instances that answered': exactly(3),
      'minimal: sessions of one visitor': exactly(1),
      'views, in turn': exactly('1 2 3 4 5 6 7 8 9'),
      'instances that answered': exactly(3),
      'sessions of one visitor': exactly(1),
      'sessions, nine first requests at once': harm(exactly(9)),
      'sessions, one request before the others': exactly(1),
    },
    observe: async (environment) => {
      const minimal = await observe(environment, MINIMAL);
      const app = await observe(environment, {});
      return {
        'minimal: views, in turn': minimal.views,
        'minimal: instances that answered': minimal.instances,
        'minimal: sessions of one visitor': minimal.sessions,
        'views, in turn': app.views,
        'instances that answered': app.instances,
        'sessions of one visitor': app.sessions,
        'sessions, nine first requests at once': await sessionsOfBurst(app.deployment, false),
        'sessions, one request before the others': await sessionsOfBurst(app.deployment, true),
      };
    },
  },
  verdict: (wrong, right) =>
    `With memory stores, three instances created ${wrong['sessions of one visitor']} sessions for one visitor; with Redis it is ${right['sessions of one visitor']}.`,
});
