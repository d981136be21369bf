import { Visitor } from '../../tools/lib/visitor.ts';
import { type Lab, replaced, type Setup } from '../kit/lab.ts';
import { exactly, lesson } from '../kit/lesson.ts';

const VISITORS = 12;
const VIEWS = 5;

/** A room full of visitors log in and look around; then the instance that serves the first one is killed. */
async function observe(lab: Lab, setup: Setup) {
  const site = await lab.start(setup);
  const room = Array.from({ length: VISITORS }, () => new Visitor(site.url));
  const [first] = room as [Visitor];
  const answered = new Set<string>();
  for (const [i, visitor] of room.entries()) {
    await logIn(visitor, `visitor ${i}`);
    const seen = await visitor.viewInTurn(VIEWS);
    for (const { instance } of seen) answered.add(instance);
  }
  const { views: before, instance } = await first.view();
  await site.act('kill', instance);
  const replies = await Promise.all(room.map((visitor) => visitor.send('/me')));
  const { views: after } = await first.view();
  return {
    'instances that answered them': answered.size,
    'logged in after the kill, of 12': replies.filter(({ status }) => status === 200).length,
    'views of the first of them': `${before}, then ${after}`,
  };
}

async function logIn(visitor: Visitor, name: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ name });
  const { status } = await visitor.send('/login', { method: 'POST', headers, body });
  if (status !== 200) throw new Error(`POST /login answered ${status}`);
}

export default lesson({
  claim:
    'Sticky sessions send a whole room to one instance and lose its sessions when that dies; shared sessions use all instances and lose none.',
  wrong: {
    what: 'ip_hash, and SESSION_STORE=memory: a visitor stays with one instance',
    predicted: {
      'instances that answered them': exactly(1),
      'logged in after the kill, of 12': exactly(0),
      'views of the first of them': exactly('6, then 1'),
    },
    observe: (lab) =>
      observe(lab, {
        env: { SESSION_STORE: 'memory' },
        nginx: {
          upstream: (text) => replaced(text, 'zone app 256k;', 'zone app 256k;\n    ip_hash;'),
        },
      }),
  },
  right: {
    what: 'in turn, and sessions in Redis: any instance will do',
    predicted: {
      'instances that answered them': exactly(3),
      'logged in after the kill, of 12': exactly(12),
      'views of the first of them': exactly('6, then 7'),
    },
    observe: (lab) => observe(lab, {}),
  },
  verdict: (wrong, right) =>
    `One instance died: with ip_hash ${wrong['logged in after the kill, of 12']} of 12 visitors were still logged in, with shared sessions ${right['logged in after the kill, of 12']}.`,
});
