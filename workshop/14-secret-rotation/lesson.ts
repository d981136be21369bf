import { setTimeout as delay } from 'node:timers/promises';
import { unsign } from 'cookie-signature';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { type Lab, meanwhile, type Site } from '../kit/lab.ts';
import { atLeast, exactly, lesson } from '../kit/lesson.ts';

const OLD = 'the-old-secret-of-32-characters-';
const NEW = 'the-new-secret-of-32-characters-';
const GUESTS = 20;
/** Milliseconds between two requests of a guest. */
const PAUSE_MS = 200;

/** Logs somebody in, who may have a cookie already. Resolves to the cookie that they are given. */
async function logIn({ url }: Site, cookie = ''): Promise<string> {
  const headers = { 'content-type': 'application/json', cookie };
  const visitor = new Visitor(url);
  await visitor.send('/login', { method: 'POST', headers, body: '{"name":"guest"}' });
  return visitor.cookie;
}

/** Sends a request with each cookie. Resolves to how often the site knew, and did not know, who that is. */
async function ask({ url }: Site, cookies: string[]) {
  const replies = await Promise.all(
    cookies.map((cookie) => send(`${url}/me`, { headers: { cookie } })),
  );
  const count = (status: number) => replies.filter((reply) => reply.status === status).length;
  return { known: count(200), strangers: count(401) };
}

/** Gives all instances other secrets. Meanwhile the guests go on, and new ones come. */
async function rotate(site: Site, secrets: string, guests: string[]) {
  const met = { known: 0, strangers: 0 };
  let isOver = false;
  const replacing = site.replaceInstances({ SESSION_SECRET: secrets });
  const rotation = meanwhile(
    replacing.finally(() => {
      isOver = true;
    }),
  );
  while (!isOver) {
    const newcomer = await logIn(site).catch(() => '');
    // One after the other they meet each instance.
    for (const cookies of [guests, ...(newcomer ? [[newcomer], [newcomer]] : [])]) {
      const { known, strangers } = await ask(site, cookies);
      met.known += known;
      met.strangers += strangers;
    }
    await delay(PAUSE_MS);
  }
  await rotation;
  return met;
}

/** Guests log in under the old secret; then the secrets are changed, in so many steps. */
async function observe(lab: Lab, steps: string[]) {
  const site = await lab.start({ scale: 2, env: { SESSION_SECRET: OLD } });
  const guests = await Promise.all(Array.from({ length: GUESTS }, () => logIn(site)));
  const met = { known: 0, strangers: 0 };
  for (const secrets of steps) {
    const { known, strangers } = await rotate(site, secrets, guests);
    met.known += known;
    met.strangers += strangers;
  }
  const { known } = await ask(site, guests);
  return {
    'sessions left of 20': known,
    'meanwhile, answers to somebody known': met.known,
    'meanwhile, answers to a stranger': met.strangers,
    'signer of a cookie from before': signer(guests[0]),
    'signer of a new cookie': signer(await logIn(site)),
    'signer after another login': signer(await logIn(site, guests[0])),
  };
}

/** Which secret has signed a cookie. */
function signer(cookie = ''): string {
  const value = decodeURIComponent(cookie.split('=')[1] ?? '').slice('s:'.length);
  const is = (secret: string) => unsign(value, secret) !== false;
  return is(NEW) ? 'new' : is(OLD) ? 'old' : 'neither';
}

export default lesson({
  claim:
    'Where the new secret takes the place of the old one all sessions are lost; where both verify for a while, and only then the new one signs, none is.',
  wrong: {
    what: 'old → new',
    predicted: { 'sessions left of 20': exactly(0) },
    async observe(lab) {
      const { 'sessions left of 20': left } = await observe(lab, [NEW]);
      return { 'sessions left of 20': left };
    },
  },
  right: {
    what: 'old → old,new → new,old: the first one signs, both verify',
    predicted: {
      'sessions left of 20': exactly(20),
      'meanwhile, answers to a stranger': exactly(0),
      'meanwhile, answers to somebody known': atLeast(100),
      'signer of a cookie from before': exactly('old'),
      'signer of a new cookie': exactly('new'),
      'signer after another login': exactly('new'),
    },
    observe: (lab) => observe(lab, [`${OLD},${NEW}`, `${NEW},${OLD}`]),
  },
  verdict: (wrong, right) =>
    `Of 20 sessions ${wrong['sessions left of 20']} survived the change in one go, and ${right['sessions left of 20']} the one in two steps.`,
});
