import { Visitor } from '../../tools/lib/visitor.ts';
import type { Lab, Setup } from '../kit/lab.ts';
import { atLeast, exactly, lesson } from '../kit/lesson.ts';

const VIEWS = 200;

/** One visitor, who has a session already, sends 200 requests at once. */
async function observe(lab: Lab, setup: Setup) {
  const { url } = await lab.start(setup);
  const visitor = new Visitor(url);
  const { views: before } = await visitor.view();
  await visitor.viewAtOnce(VIEWS);
  const { views } = await visitor.view();
  return { 'views lost of 200': VIEWS - (views - before - 1) };
}

export default lesson({
  claim:
    'Reading a number, adding one and writing it back loses views as soon as two requests of one visitor meet; adding in one step in Redis loses none.',
  wrong: {
    what: 'COUNTER=session: req.session.views += 1, then save',
    predicted: { 'views lost of 200': atLeast(20) },
    observe: (lab) => observe(lab, { env: { COUNTER: 'session' } }),
  },
  right: {
    what: 'COUNTER=atomic: one script in Redis adds one',
    predicted: { 'views lost of 200': exactly(0) },
    observe: (lab) => observe(lab, {}),
  },
  verdict: (wrong, right) =>
    `Of 200 views at once, reading and writing back lost ${wrong['views lost of 200']}, one step in Redis ${right['views lost of 200']}.`,
});
