import { Visitor } from '../../tools/lib/visitor.ts';
import type { DeploymentOptions, Environment } from '../kit/environment.ts';
import { atLeast, exactly, harm, lesson } from '../kit/lesson.ts';

const VIEWS = 200;

/** One visitor, who already has a session, sends 200 requests at once. */
async function observe(environment: Environment, options: DeploymentOptions) {
  const { url } = await environment.start(options);
  const visitor = new Visitor(url);
  const { views: before } = await visitor.view();
  await visitor.viewAtOnce(VIEWS);
  const { views } = await visitor.view();
  return { 'views lost of 200': VIEWS - (views - before - 1) };
}

export default lesson({
  claim:
    'Reading a number, adding one and writing it back loses views when two requests of one visitor overlap. Adding one in a single step in Redis loses none.',
  scene: 4,
  asks: [
    {
      way: 'wrong',
      figure: 'views lost of 200',
      question:
        'One visitor sends 200 views at once. How many are lost if the session holds the counter?',
    },
    {
      way: 'right',
      figure: 'views lost of 200',
      question:
        'One visitor sends 200 views at once. How many are lost if Redis adds one in a single step?',
    },
  ],
  wrong: {
    summary: 'COUNTER=session: req.session.views += 1, then save',
    predicted: { 'views lost of 200': harm(atLeast(20)) },
    observe: (environment) => observe(environment, { env: { COUNTER: 'session' } }),
  },
  right: {
    summary: 'COUNTER=atomic: one script in Redis adds one',
    predicted: { 'views lost of 200': exactly(0) },
    observe: (environment) => observe(environment, {}),
  },
  verdict: (wrong, right) =>
    `Of 200 simultaneous views, read and write back lost ${wrong['views lost of 200']}; a single step in Redis lost ${right['views lost of 200']}.`,
});
