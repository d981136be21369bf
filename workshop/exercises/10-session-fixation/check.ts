import { quoted } from '../../../tools/lib/errors.mjs';
import { Visitor } from '../../../tools/lib/visitor.ts';
import { userOf } from '../../kit/client.ts';
import type { Deployment } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { viewsOf } from '../../kit/exercise-client.ts';

/** Instances of the stack, which nginx asks in turn. */
const INSTANCES = 3;
/** Views in the session before the login. */
const VIEWS = 4;
const WHAT = 'An attacker planted the cookie of a session, and Ada logged in with it.';

/** An attacker begins a session and plants its cookie; Ada uses it and logs in. */
async function logInWithPlantedCookie({ url }: Deployment) {
  const attacker = new Visitor(url);
  await viewsOf(attacker);
  must(attacker.cookie, 'GET / sets no cookie, so a visitor has no session.');
  const ada = new Visitor(url, new Map(attacker.cookies));
  for (let views = 1; views < VIEWS; views += 1) await viewsOf(ada);
  const { status, body } = await ada.post('/login', { name: 'Ada' });
  must(
    status === 200 && body === '{"name":"Ada"}',
    `POST /login answered ${status} with ${quoted(body)}, not 200 with {"name":"Ada"}.`,
  );
  return { planted: attacker.cookie, ada, hasNewCookie: ada.cookie !== attacker.cookie };
}

/** The users that the instances see behind a cookie. */
async function usersOf(deployment: Deployment, cookie: string): Promise<string> {
  const users = new Set<string>();
  for (let i = 0; i < INSTANCES; i += 1) users.add(await userOf(deployment, cookie));
  return [...users].join(' or ');
}

/** The id in a cookie of express-session, without its signature. */
function sessionId(cookie: string): string {
  const value = decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1));
  return value.replace(/^s:/, '').split('.')[0] ?? '';
}

const exercise: Exercise = {
  lesson: 'session-id-in-the-url',
  rule: 'A login replaces the session, so an id from before the login gives access to nothing.',
  steps: [
    {
      title: 'A cookie from before the login is not logged in',
      async run(deployment) {
        const { planted, hasNewCookie } = await logInWithPlantedCookie(deployment);
        const user = await usersOf(deployment, planted);
        const cause = hasNewCookie
          ? 'Ada got a new cookie, but her name is in the old session too.'
          : 'The login did not replace the session: both still use the same one.';
        must(!user.includes('Ada'), `${WHAT} Now the attacker is ${user} for the site. ${cause}`);
        return user;
      },
    },
    {
      title: 'The visitor is logged in on all instances',
      async run(deployment) {
        const { ada, hasNewCookie } = await logInWithPlantedCookie(deployment);
        const user = await usersOf(deployment, ada.cookie);
        const cause = hasNewCookie
          ? 'The session of her new cookie does not have her name: only the old session got it.'
          : 'The login set no new cookie: it ended her session and began no other.';
        must(user === 'Ada', `Ada logged in. After that she is ${user} for the site. ${cause}`);
        return user;
      },
    },
    {
      title: 'The visitor keeps the views from before the login',
      async run(deployment) {
        const { ada } = await logInWithPlantedCookie(deployment);
        const views = await viewsOf(ada);
        must(
          views === VIEWS + 1,
          `Before the login the session had ${VIEWS} views. The next view was number ${views}, not ${VIEWS + 1}. The new session does not have the data of the old one.`,
        );
        return `${VIEWS}, then ${views}`;
      },
    },
    {
      title: 'The old session is gone from Redis',
      async run(deployment) {
        const { planted } = await logInWithPlantedCookie(deployment);
        const key = await deployment.redis('KEYS', `*${sessionId(planted)}*`);
        must(
          key === '',
          `After the login, the key ${key} of the old session is still in Redis. The attacker can go on with that session, and with all that the visitor put into it.`,
        );
        return 'no key';
      },
    },
  ],
};

export default exercise;
