import { eventually } from '../../tools/lib/eventually.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { userOf } from '../kit/client.ts';
import { type Environment, inBackground, longNginxTimeouts } from '../kit/environment.ts';
import { exactly, harm, lesson, neutral } from '../kit/lesson.ts';

const PROGRAM = 'workshop/12-logout-race/report-app.ts';

/** Ada requests a slow report and logs out while it is in progress. Then the report finishes. */
async function observe(environment: Environment, STORE: 'plain' | 'guarded') {
  // nginx waits for the report instead of a retry on another instance.
  const nginx = { conf: longNginxTimeouts };
  const deployment = await environment.start({ scale: 2, program: PROGRAM, env: { STORE }, nginx });
  const { url } = deployment;
  const ada = new Visitor(url);
  await ada.send('/login', { method: 'POST' });
  const { cookie } = ada; // a copy: the logout clears the cookie of the browser

  const report = inBackground(send(`${url}/report`, { headers: { cookie } }));
  await eventually(async () => {
    const { body } = await send(`${url}/report/state`);
    if (body !== 'begun') throw new Error(`the report has not begun: ${body}`);
  });
  await ada.send('/logout', { method: 'POST' });
  const afterLogout = await userOf(deployment, cookie);
  await send(`${url}/report/data`, { method: 'POST' });
  const { status } = await report;
  const sessions = await deployment.redis('KEYS', 'sess:*');
  return {
    'user of the cookie after the logout': afterLogout,
    'status of the slow report': status,
    'user of the cookie after the report': await userOf(deployment, cookie),
    'sessions in Redis': sessions.split('\n').filter(Boolean).length,
  };
}

export default lesson({
  claim:
    'With a plain SET, a slow request brings back a session that has ended. A store that only overwrites existing sessions does not.',
  asks: [
    {
      way: 'wrong',
      figure: 'user of the cookie after the report',
      question:
        'Ada logs out during a slow report, which writes into her session when it ends. A thief has a copy of her cookie. Who is the thief after the report?',
      choices: ['Ada', 'not logged in (401)'],
    },
    {
      way: 'right',
      figure: 'status of the slow report',
      question:
        'Ada logs out during a slow report. The store only overwrites sessions that exist. Which HTTP status does the report get?',
    },
  ],
  wrong: {
    summary: 'connect-redis with its default: SET',
    predicted: {
      'user of the cookie after the logout': exactly('not logged in (401)'),
      'status of the slow report': neutral(exactly(200)),
      'user of the cookie after the report': harm(exactly('Ada')),
      'sessions in Redis': harm(exactly(1)),
    },
    observe: (environment) => observe(environment, 'plain'),
  },
  right: {
    summary: 'the store of this project: SET … XX for a session that was read',
    predicted: {
      'user of the cookie after the logout': exactly('not logged in (401)'),
      'status of the slow report': exactly(409),
      'user of the cookie after the report': exactly('not logged in (401)'),
      'sessions in Redis': exactly(0),
    },
    observe: (environment) => observe(environment, 'guarded'),
  },
  verdict: (wrong, right) =>
    `After the logout and the slow request, the user of the cookie is ${wrong['user of the cookie after the report']} with SET, and ${right['user of the cookie after the report']} with SET … XX.`,
});
