import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../tools/lib/eventually.ts';
import { send, Visitor } from '../../../tools/lib/visitor.ts';
import { type Deployment, inBackground, longNginxTimeouts } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { askedInstances } from '../../kit/exercise-client.ts';

const NAME = 'Ada Lovelace';
const INSTANCES = 3;
/** Milliseconds for a reply that does not wait for Redis. */
const REPLY_MS = 300;
/** Milliseconds for which Redis stores nothing, unless that is ended before. */
const PAUSE_MS = 5000;

/** Logs in. @throws {Error} if that does not work on all instances */
async function logIn(deployment: Deployment): Promise<Visitor> {
  const ada = new Visitor(deployment.url);
  const { status } = await ada.post('/login', { name: NAME });
  must(status < 400, `POST /login answered ${status}.`);
  must(ada.cookie, 'POST /login set no cookie. Is the session stored?');
  const { accepting } = await ask(deployment, ada.cookie);
  must(
    accepting === INSTANCES,
    `After the login, ${accepting} of ${INSTANCES} instances answered GET /me with her name.`,
  );
  return ada;
}

/** Logs out with the cookie as it was, so that a copy of it can be tried. */
async function logOut(deployment: Deployment, cookie: string): Promise<void> {
  const { status } = await send(`${deployment.url}/logout`, {
    method: 'POST',
    headers: { cookie },
  });
  must(status < 400, `POST /logout answered ${status}.`);
}

/** Asks each instance who has this cookie. */
async function ask({ url }: Deployment, cookie: string): Promise<{ accepting: number }> {
  const accepting = new Set<string | undefined>();
  for (let i = 0; i < INSTANCES; i += 1) {
    const reply = await send(`${url}/me`, { headers: { cookie } });
    if (reply.body.includes(NAME)) accepting.add(askedInstances(reply).at(-1));
    else must(reply.status < 500, `GET /me answered ${reply.status}.`);
  }
  return { accepting: accepting.size };
}

/** The keys whose text contains her name. */
async function keysWithName(deployment: Deployment): Promise<string[]> {
  const keys = (await deployment.redis('KEYS', '*')).split('\n').filter(Boolean);
  const found: string[] = [];
  for (const key of keys) {
    const isText = (await deployment.redis('TYPE', key)) === 'string';
    if (isText && (await deployment.redis('GET', key)).includes(NAME)) found.push(key);
  }
  return found;
}

const exercise: Exercise = {
  lesson: 'logout-race',
  // nginx waits for the report instead of a retry on another instance.
  stack: { nginx: { conf: longNginxTimeouts } },
  rule: 'A logout ends the session on the server, and no late request may store it again.',
  steps: [
    {
      title: 'After the logout, no instance accepts a copy of the cookie',
      async run(deployment) {
        const { cookie } = await logIn(deployment);
        await logOut(deployment, cookie);
        const { accepting } = await ask(deployment, cookie);
        must(
          accepting !== INSTANCES,
          `Ada logged out, but a copy of her cookie is still logged in on all ${INSTANCES} instances. Her browser has deleted its cookie; the session on the server goes on.`,
        );
        must(
          accepting === 0,
          `Ada logged out, but a copy of her cookie is still logged in on ${accepting} of ${INSTANCES} instances. An instance knows nothing of the logout if another one keeps it in its memory.`,
        );
        const [key] = await keysWithName(deployment);
        must(
          key === undefined,
          `The cookie is refused, but Redis still has the session of Ada, in the key ${key}. A logout has to delete it.`,
        );
        return `0 of ${INSTANCES}`;
      },
    },
    {
      title: 'The logout is answered after Redis has stored it',
      async run(deployment) {
        const { cookie } = await logIn(deployment);
        // Redis still answers reads, and lets writes wait.
        await deployment.redis('CLIENT', 'PAUSE', String(PAUSE_MS), 'WRITE');
        let isAnswered = false;
        const loggedOut = inBackground(
          logOut(deployment, cookie).then(() => {
            isAnswered = true;
          }),
        );
        await eventually(async () => {
          const clients = await deployment.redis('CLIENT', 'LIST');
          if (!isAnswered && !/ flags=\S*b/.test(clients)) throw new Error('no write waits yet');
        }, PAUSE_MS / 2).catch(() => {});
        await Promise.race([loggedOut, delay(REPLY_MS)]);
        const isEarly = isAnswered;
        await deployment.redis('CLIENT', 'UNPAUSE');
        await loggedOut;
        must(
          !isEarly,
          'The logout was answered before Redis had stored it. If the instance crashes in between, Ada is still logged in, and does not know it.',
        );
        return 'answered afterwards';
      },
    },
    {
      title: 'A slow request in progress does not bring the login back',
      async run(deployment) {
        const { cookie } = await logIn(deployment);
        await deployment.redis('DEL', 'report');
        const report = inBackground(send(`${deployment.url}/report`, { headers: { cookie } }));
        await eventually(async () => {
          const state = await deployment.redis('GET', 'report');
          must(state === 'begun', 'GET /report has not begun its report.');
        });
        await logOut(deployment, cookie);
        await deployment.redis('SET', 'report', 'data');
        await report;
        const { accepting } = await ask(deployment, cookie);
        must(
          accepting === 0,
          `Ada logged out during a slow report. After the report, a copy of her cookie is logged in again on ${accepting} of ${INSTANCES} instances. The report had read the session before the logout, and stored its copy of the session after it.`,
        );
        return `0 of ${INSTANCES}`;
      },
    },
  ],
};

export default exercise;
