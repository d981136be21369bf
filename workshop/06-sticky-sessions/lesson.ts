import { Visitor } from '../../tools/lib/visitor.ts';
import { type DeploymentOptions, type Environment, replaceText } from '../kit/environment.ts';
import { exactly, harm, lesson } from '../kit/lesson.ts';

const VISITORS = 12;
const VIEWS = 5;

/** All visitors log in and view the page; then the instance that serves the first one is killed. */
async function observe(environment: Environment, options: DeploymentOptions) {
  const deployment = await environment.start(options);
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(deployment.url));
  const [first] = visitors as [Visitor];
  const answered = new Set<string>();
  for (const [i, visitor] of visitors.entries()) {
    const { status } = await visitor.post('/login', { name: `visitor ${i}` });
    if (status !== 200) throw new Error(`POST /login answered ${status}`);
    const replies = await visitor.viewInTurn(VIEWS);
    for (const { instance } of replies) answered.add(instance);
  }
  const { views: before, instance } = await first.view();
  await deployment.control('kill', instance);
  const replies = await Promise.all(visitors.map((visitor) => visitor.send('/me')));
  const { views: after } = await first.view();
  return {
    'instances that answered': answered.size,
    'logged in after the kill, of 12': replies.filter(({ status }) => status === 200).length,
    'views of the first visitor': `${before}, then ${after}`,
  };
}

export default lesson({
  claim:
    'Sticky sessions send all visitors behind one address to one instance and lose their sessions when it dies. Shared sessions use all instances and lose none.',
  asks: [
    {
      way: 'wrong',
      figure: 'instances that answered',
      question:
        'Twelve visitors share one address, and nginx uses ip_hash. How many of the three instances answer them?',
    },
    {
      way: 'wrong',
      figure: 'logged in after the kill, of 12',
      question:
        'Twelve visitors log in. nginx uses ip_hash, and sessions are in memory. The instance of the first visitor is killed. How many are still logged in?',
    },
  ],
  wrong: {
    summary: 'ip_hash and SESSION_STORE=memory: a visitor stays on one instance',
    predicted: {
      'instances that answered': harm(exactly(1)),
      'logged in after the kill, of 12': harm(exactly(0)),
      'views of the first visitor': harm(exactly('6, then 1')),
    },
    observe: (environment) =>
      observe(environment, {
        env: { SESSION_STORE: 'memory' },
        nginx: {
          upstream: (text) => replaceText(text, 'least_conn;', 'ip_hash;'),
        },
      }),
  },
  right: {
    summary: 'least_conn and sessions in Redis: every instance knows every visitor',
    predicted: {
      'instances that answered': exactly(3),
      'logged in after the kill, of 12': exactly(12),
      'views of the first visitor': exactly('6, then 7'),
    },
    observe: (environment) => observe(environment, {}),
  },
  verdict: (wrong, right) =>
    `One instance died: with ip_hash, ${wrong['logged in after the kill, of 12']} of 12 visitors were still logged in; with shared sessions, ${right['logged in after the kill, of 12']}.`,
});
