import { eventually } from '../../tools/lib/eventually.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { type Lab, meanwhile, patient } from '../kit/lab.ts';
import { exactly, lesson } from '../kit/lesson.ts';

const PROGRAM = 'workshop/12-the-logout-race/report-app.ts';

/** Ada asks for a report, which takes its time, and logs out meanwhile. Then the report is ready. */
async function observe(lab: Lab, STORE: 'plain' | 'guarded') {
  // nginx waits for the report, rather than asking another instance for it too.
  const nginx = { conf: patient };
  const site = await lab.start({ scale: 2, program: PROGRAM, env: { STORE }, nginx });
  const { url } = site;
  const ada = new Visitor(url);
  await ada.send('/login', { method: 'POST' });
  const { cookie } = ada; // a copy: the browser will be told to forget its own

  const report = meanwhile(send(`${url}/report`, { headers: { cookie } }));
  await eventually(async () => {
    const { body } = await send(`${url}/report/state`);
    if (body !== 'begun') throw new Error(`the report has not begun: ${body}`);
  });
  await ada.send('/logout', { method: 'POST' });
  const between = await whoIs(url, cookie);
  await send(`${url}/report/data`, { method: 'POST' });
  const { status } = await report;
  return {
    'after the logout, the cookie belongs to': between,
    'the slow report is answered with': status,
    'after the report, the cookie belongs to': await whoIs(url, cookie),
    'sessions in Redis': (await site.redis('KEYS', 'sess:*')).split('\n').filter(Boolean).length,
  };
}

/** Who somebody with that cookie is. */
async function whoIs(url: string, cookie: string): Promise<string> {
  const { status, body } = await send(`${url}/me`, { headers: { cookie } });
  return status === 200 ? JSON.parse(body).name : `nobody (${status})`;
}

export default lesson({
  claim:
    'A plain SET of a request that was slow brings a session back that has ended; a store that sets only what is still there does not.',
  wrong: {
    what: 'connect-redis as it comes: SET',
    predicted: {
      'after the logout, the cookie belongs to': exactly('nobody (401)'),
      'the slow report is answered with': exactly(200),
      'after the report, the cookie belongs to': exactly('Ada'),
      'sessions in Redis': exactly(1),
    },
    observe: (lab) => observe(lab, 'plain'),
  },
  right: {
    what: 'the store of this project: SET … XX for a session that was read',
    predicted: {
      'after the logout, the cookie belongs to': exactly('nobody (401)'),
      'the slow report is answered with': exactly(409),
      'after the report, the cookie belongs to': exactly('nobody (401)'),
      'sessions in Redis': exactly(0),
    },
    observe: (lab) => observe(lab, 'guarded'),
  },
  verdict: (wrong, right) =>
    `After the logout and the end of a slow request the cookie belongs to ${wrong['after the report, the cookie belongs to']} with a plain SET, and ${right['after the report, the cookie belongs to']} with one that refuses the dead.`,
});
