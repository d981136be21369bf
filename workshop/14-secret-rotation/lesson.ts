import { setTimeout as delay } from 'node:timers/promises';
import { unsign } from 'cookie-signature';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { type Deployment, type Environment, inBackground } from '../kit/environment.ts';
import { atLeast, exactly, harm, lesson, neutral } from '../kit/lesson.ts';

const OLD = 'the-old-secret-of-32-characters-';
const NEW = 'the-new-secret-of-32-characters-';
const USERS = 20;
/** Milliseconds between two requests of a user. */
const PAUSE_MS = 200;

/** Logs a user in. Resolves to the new cookie. */
async function logIn({ url }: Deployment, cookie = ''): Promise<string> {
  const visitor = new Visitor(url);
  await visitor.post('/login', { name: 'guest' }, { headers: { cookie } });
  return visitor.cookie;
}

/** Sends a request with each cookie. Resolves to the number of replies by status. */
async function request({ url }: Deployment, cookies: string[]) {
  const replies = await Promise.all(
    cookies.map((cookie) => send(`${url}/me`, { headers: { cookie } })),
  );
  const count = (status: number) => replies.filter((reply) => reply.status === status).length;
  return { ok: count(200), unauthorized: count(401) };
}

/** Replaces the secrets of all instances while users send requests and new users log in. */
async function rotate(deployment: Deployment, secrets: string, cookies: string[]) {
  const total = { ok: 0, unauthorized: 0 };
  let isOver = false;
  const replacing = deployment.replaceInstances({ SESSION_SECRET: secrets });
  const rotation = inBackground(
    replacing.finally(() => {
      isOver = true;
    }),
  );
  while (!isOver) {
    const newCookie = await logIn(deployment).catch(() => '');
    // Two requests, one after the other, so that both instances see the new cookie.
    for (const batch of [cookies, ...(newCookie ? [[newCookie], [newCookie]] : [])]) {
      const { ok, unauthorized } = await request(deployment, batch);
      total.ok += ok;
      total.unauthorized += unauthorized;
    }
    await delay(PAUSE_MS);
  }
  await rotation;
  return total;
}

/** Users log in with the old secret; then each step replaces the secrets. */
async function observe(environment: Environment, steps: string[]) {
  const deployment = await environment.start({ scale: 2, env: { SESSION_SECRET: OLD } });
  const cookies = await Promise.all(Array.from({ length: USERS }, () => logIn(deployment)));
  const total = { ok: 0, unauthorized: 0 };
  for (const secrets of steps) {
    const { ok, unauthorized } = await rotate(deployment, secrets, cookies);
    total.ok += ok;
    total.unauthorized += unauthorized;
  }
  const { ok } = await request(deployment, cookies);
  return {
    'sessions left of 20': ok,
    'answers 401 during the rotation': total.unauthorized,
    'answers 200 during the rotation': total.ok,
    'secret of an old cookie': secretOf(cookies[0]),
    'secret of a new cookie': secretOf(await logIn(deployment)),
    'secret after a second login': secretOf(await logIn(deployment, cookies[0])),
  };
}

/** The secret that signed a cookie. */
function secretOf(cookie = ''): string {
  const value = decodeURIComponent(cookie.split('=')[1] ?? '').slice('s:'.length);
  const isSignedWith = (secret: string) => unsign(value, secret) !== false;
  return isSignedWith(NEW) ? 'new' : isSignedWith(OLD) ? 'old' : 'neither';
}

export default lesson({
  claim:
    'A new secret that replaces the old one ends all sessions. If both secrets verify for a while before the new one signs, no session ends.',
  asks: [
    {
      way: 'wrong',
      figure: 'sessions left of 20',
      question:
        'A new secret replaces the old one on all instances. How many of twenty users are still logged in?',
    },
    {
      way: 'right',
      figure: 'sessions left of 20',
      question:
        'Both secrets verify cookies for a while before the new one signs. How many of twenty users are still logged in?',
    },
  ],
  wrong: {
    summary: 'old → new',
    predicted: { 'sessions left of 20': harm(exactly(0)) },
    async observe(environment) {
      const { 'sessions left of 20': left } = await observe(environment, [NEW]);
      return { 'sessions left of 20': left };
    },
  },
  right: {
    summary: 'old → old,new → new,old: the first one signs, both verify',
    predicted: {
      'sessions left of 20': exactly(20),
      'answers 401 during the rotation': exactly(0),
      'answers 200 during the rotation': atLeast(100),
      'secret of an old cookie': neutral(exactly('old')),
      'secret of a new cookie': exactly('new'),
      'secret after a second login': exactly('new'),
    },
    observe: (environment) => observe(environment, [`${OLD},${NEW}`, `${NEW},${OLD}`]),
  },
  verdict: (wrong, right) =>
    `Of 20 sessions, ${wrong['sessions left of 20']} survived the direct change, and ${right['sessions left of 20']} the change in two steps.`,
});
