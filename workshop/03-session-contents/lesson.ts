import { sign } from 'cookie-signature';
import { sessionKeys } from '../../services/shared/session/keys.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { redisInfo, userOf } from '../kit/client.ts';
import type { Deployment } from '../kit/environment.ts';
import { atLeast, exactly, harm, lesson, neutral } from '../kit/lesson.ts';

/** A secret from a tutorial. Attackers try it first. */
const TUTORIAL_SECRET = 'keyboard cat keyboard cat keyboard cat';
/** Seconds: a day, minus the time that the lesson may take. */
const ALMOST_A_DAY = 86_000;

/** A Set-Cookie header. */
interface Cookie {
  name: string;
  /** The session id, which the cookie carries together with its signature. */
  id: string;
  attributes: string;
}

/** Ada logs in, views the page twice and puts tea into the cart. */
async function visit({ url }: Deployment): Promise<Cookie> {
  const ada = new Visitor(url);
  const { headers } = await ada.post('/login', { name: 'Ada' });
  await ada.viewInTurn(2);
  await ada.post('/cart', { item: 'tea', quantity: 3 });
  const [line = ''] = headers['set-cookie'] ?? [];
  const [, name = '', value = '', attributes = ''] = /^(.+?)=(.+?); (.+)$/.exec(line) ?? [];
  const [, id = ''] = /^s:(.+)\./.exec(decodeURIComponent(value)) ?? [];
  return { name, id, attributes };
}

/** An attacker knows the id, but not the signature, and signs the id. Resolves to the user they become. */
function forge(deployment: Deployment, { name, id }: Cookie): Promise<string> {
  const forged = encodeURIComponent(`s:${sign(id, TUTORIAL_SECRET)}`);
  return userOf(deployment, `${name}=${forged}`);
}

export default lesson({
  claim:
    'The cookie holds an id and its signature, and Redis holds everything else. An attacker who knows the secret can become any user whose id leaks; without the secret, no user.',
  scene: 3,
  asks: [
    {
      way: 'wrong',
      figure: 'the attacker is',
      question:
        "The secret is from a tutorial, and the cookie has an unusual name. An attacker learns the id of Ada's session, but not its signature. Who is the attacker for the site?",
      choices: ['not logged in (401)', 'Ada'],
    },
    {
      way: 'right',
      figure: 'sess:<id>, TTL in seconds',
      question: "How many seconds does Redis keep Ada's session after her last request?",
    },
  ],
  wrong: {
    summary: `SESSION_SECRET='${TUTORIAL_SECRET}', hidden by SESSION_COOKIE_NAME=visit`,
    predicted: {
      'name of the cookie': neutral(exactly('visit')),
      'the attacker is': harm(exactly('Ada')),
    },
    observe: async (environment) => {
      const env = { SESSION_SECRET: TUTORIAL_SECRET, SESSION_COOKIE_NAME: 'visit' };
      const deployment = await environment.start({ scale: 2, env });
      const cookie = await visit(deployment);
      return {
        'name of the cookie': cookie.name,
        'the attacker is': await forge(deployment, cookie),
      };
    },
  },
  right: {
    summary: 'a random secret that the instances agree on',
    predicted: {
      'name of the cookie': neutral(exactly('connect.sid')),
      'attributes of the cookie': exactly('Path=/; HttpOnly; SameSite=Lax'),
      'length of the id': exactly(32),
      'sess:<id>, TTL in seconds': atLeast(ALMOST_A_DAY),
      'sess:<id>, name in its JSON': exactly('Ada'),
      'views:<id>': exactly(2),
      'cart:<id>, field tea': exactly(3),
      'append-only file': exactly('on'),
      'eviction policy': exactly('volatile-ttl'),
      'the attacker is': exactly('not logged in (401)'),
    },
    observe: async (environment) => {
      const env = { SESSION_SECRET: '', SESSION_COOKIE_NAME: 'connect.sid' };
      const deployment = await environment.start({ scale: 2, env });
      const cookie = await visit(deployment);
      const [session, views, cart] = sessionKeys(cookie.id);
      return {
        'name of the cookie': cookie.name,
        'attributes of the cookie': cookie.attributes,
        'length of the id': cookie.id.length,
        'sess:<id>, TTL in seconds': Number(await deployment.redis('TTL', session)),
        'sess:<id>, name in its JSON': JSON.parse(await deployment.redis('GET', session)).name,
        'views:<id>': Number(await deployment.redis('GET', views)),
        'cart:<id>, field tea': Number(await deployment.redis('HGET', cart, 'tea')),
        'append-only file': (await redisInfo(deployment, 'aof_enabled')) === '1' ? 'on' : 'off',
        'eviction policy': await redisInfo(deployment, 'maxmemory_policy'),
        'the attacker is': await forge(deployment, cookie),
      };
    },
  },
  verdict: (wrong, right) =>
    `With a secret from a tutorial, the attacker is ${wrong['the attacker is']}; with a random secret, ${right['the attacker is']}.`,
});
