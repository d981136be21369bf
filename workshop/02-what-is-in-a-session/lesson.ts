import { sign } from 'cookie-signature';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import type { Lab, Setup, Site } from '../kit/lab.ts';
import { atLeast, exactly, lesson } from '../kit/lesson.ts';

/** What a forger tries first. */
const TUTORIALS = 'keyboard cat keyboard cat keyboard cat';
/** Seconds: almost a day, for some may have passed. */
const ALMOST_A_DAY = 86_000;

/** What a visitor's browser is told to keep. */
interface Cookie {
  name: string;
  /** The id of the session, which is in the cookie together with its signature. */
  id: string;
  attributes: string;
}

/** Ada logs in, looks twice and buys tea. */
async function visit({ url }: Site): Promise<Cookie> {
  const ada = new Visitor(url);
  const { headers } = await post(ada, '/login', { name: 'Ada' });
  await ada.viewInTurn(2);
  await post(ada, '/cart', { item: 'tea', quantity: 3 });
  const [line = ''] = headers['set-cookie'] ?? [];
  const [, name = '', value = '', attributes = ''] = /^(.+?)=(.+?); (.+)$/.exec(line) ?? [];
  const [, id = ''] = /^s:(.+)\./.exec(decodeURIComponent(value)) ?? [];
  return { name, id, attributes };
}

/** A forger, who has learnt the id but not its signature, signs it. Resolves to who that is then. */
async function forge({ url }: Site, { name, id }: Cookie): Promise<string> {
  const forged = encodeURIComponent(`s:${sign(id, TUTORIALS)}`);
  const me = await send(`${url}/me`, { headers: { cookie: `${name}=${forged}` } });
  return me.status === 200 ? JSON.parse(me.body).name : `nobody (${me.status})`;
}

async function observeWrong(lab: Lab, setup: Setup) {
  const site = await lab.start(setup);
  const cookie = await visit(site);
  return { 'name of the cookie': cookie.name, 'the forger is': await forge(site, cookie) };
}

async function observeRight(lab: Lab, setup: Setup) {
  const site = await lab.start(setup);
  const cookie = await visit(site);
  const key = `sess:${cookie.id}`;
  return {
    'name of the cookie': cookie.name,
    'its attributes': cookie.attributes,
    'characters of the id': cookie.id.length,
    'sess:<id>, seconds to live': Number(await site.redis('TTL', key)),
    'sess:<id>, name in its JSON': JSON.parse(await site.redis('GET', key)).name,
    'views:{sess:<id>}': Number(await site.redis('GET', `views:{${key}}`)),
    'cart:{sess:<id>}, its tea': Number(await site.redis('HGET', `cart:{${key}}`, 'tea')),
    'append-only file': (await info(site, 'aof_enabled')) === '1' ? 'on' : 'off',
    'forgotten first when full': await info(site, 'maxmemory_policy'),
    'the forger is': await forge(site, cookie),
  };
}

function post(visitor: Visitor, path: string, body: object) {
  const headers = { 'content-type': 'application/json' };
  return visitor.send(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** One line of what Redis says of itself. */
async function info(site: Site, name: string): Promise<string> {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(await site.redis('INFO'))?.[1] ?? '';
}

export default lesson({
  claim:
    'The cookie holds an id and its signature, Redis all the rest; so whoever knows the secret can be anybody whose id they learn, and whoever does not is nobody.',
  wrong: {
    what: `SESSION_SECRET='${TUTORIALS}', and SESSION_COOKIE_NAME=visit to hide it`,
    predicted: { 'name of the cookie': exactly('visit'), 'the forger is': exactly('Ada') },
    observe: (lab) =>
      observeWrong(lab, {
        scale: 2,
        env: { SESSION_SECRET: TUTORIALS, SESSION_COOKIE_NAME: 'visit' },
      }),
  },
  right: {
    what: 'a random secret, on which the instances have agreed',
    predicted: {
      'name of the cookie': exactly('connect.sid'),
      'its attributes': exactly('Path=/; HttpOnly; SameSite=Lax'),
      'characters of the id': exactly(32),
      'sess:<id>, seconds to live': atLeast(ALMOST_A_DAY),
      'sess:<id>, name in its JSON': exactly('Ada'),
      'views:{sess:<id>}': exactly(2),
      'cart:{sess:<id>}, its tea': exactly(3),
      'append-only file': exactly('on'),
      'forgotten first when full': exactly('volatile-ttl'),
      'the forger is': exactly('nobody (401)'),
    },
    observe: (lab) =>
      observeRight(lab, { scale: 2, env: { SESSION_SECRET: '', SESSION_COOKIE_NAME: '' } }),
  },
  verdict: (wrong, right) =>
    `With a secret out of a tutorial the forger is ${wrong['the forger is']}, under whatever name the cookie goes; with a random one ${right['the forger is']}.`,
});
