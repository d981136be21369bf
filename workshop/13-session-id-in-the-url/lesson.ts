import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '../../tools/lib/eventually.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { userOf } from '../kit/client.ts';
import type { Deployment, DeploymentOptions, Environment } from '../kit/environment.ts';
import { exactly, harm, lesson } from '../kit/lesson.ts';
import { referrerOf } from './referrer.ts';

const SESSION_COOKIE_NAME = 'connect.sid';
/** A signed session id in any text. */
const SIGNED_ID = /s(?::|%3A)[\w-]{20,}\.[\w%+/-]+/g;

/** Ada logs in, views the page, follows a link to another site and opens her cart. */
async function observe(environment: Environment, options: DeploymentOptions) {
  const deployment = await environment.start({
    scale: 2,
    env: { SESSION_COOKIE_NAME },
    ...options,
  });
  const ada = new Visitor(deployment.url);
  const login = await ada.post('/login', { name: 'Ada' });
  const { href } = new URL(login.headers.location ?? '/', deployment.url); // the next page
  const path = href.slice(deployment.url.length);
  const page = await ada.send(path);
  const referer = await follow(href, String(page.headers['referrer-policy']));
  const refererByDefault = await follow(href, '');
  const cart = path.replace('/', '/cart');
  await ada.send(cart);

  const log = await completeLog(deployment, ['POST /login', `GET ${path}`, `GET ${cart}`]);
  return {
    'lines of the access log with an id': idsIn(log).length,
    'ids sent to the other site': idsIn(referer).length,
    'the same with the default policy of today': idsIn(refererByDefault).length,
    'a reader of the access log is': await userOfStolenId(deployment, log),
    'the owner of the other site is': await userOfStolenId(deployment, referer),
  };
}

/** Follows a link to another site as a browser does. Resolves to the Referer that the site gets. */
async function follow(page: string, policy: string): Promise<string> {
  let received = '';
  const other = createServer((req, res) => {
    received = req.headers.referer ?? '';
    res.end();
  });
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const link = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  const referer = referrerOf(new URL(page), new URL(link), policy);
  await send(link, { headers: { ...(referer !== undefined && { referer }) } });
  other.close();
  return received;
}

/** The access log, once it has these requests: each nginx worker writes its own lines. */
async function completeLog(deployment: Deployment, requests: string[]): Promise<string> {
  return eventually(async () => {
    const log = await deployment.accessLog();
    const missing = requests.find((request) => !log.includes(`"${request} HTTP/1.1"`));
    if (missing) throw new Error(`the access log has no ${missing}`);
    return log;
  });
}

function idsIn(text: string): string[] {
  return text.match(SIGNED_ID) ?? [];
}

/** Tries the first id of a text as a cookie and in the URL. Resolves to the user. */
async function userOfStolenId(deployment: Deployment, text: string): Promise<string> {
  const [id = ''] = idsIn(text);
  return userOf(deployment, `${SESSION_COOKIE_NAME}=${id}`, `/me?sid=${id}`);
}

export default lesson({
  claim:
    'An id in the URL reaches the access log and, in the Referer header, other sites. Anyone who has it is logged in. An id in a cookie reaches neither.',
  asks: [
    {
      way: 'wrong',
      figure: 'lines of the access log with an id',
      question:
        "The id of Ada's session is in the URL. She logs in, views the page and opens her cart. How many lines of the access log contain the id?",
    },
    {
      way: 'wrong',
      figure: 'the owner of the other site is',
      question:
        "The id of Ada's session is in the URL. She follows a link to another site, and its owner tries the id from the Referer header. Who is the owner for our site?",
      choices: ['Ada', 'not logged in (401)'],
    },
  ],
  wrong: {
    summary: 'the id in the URL, with the default Referrer-Policy of browsers before 2020',
    predicted: {
      'lines of the access log with an id': harm(exactly(2)),
      'ids sent to the other site': harm(exactly(1)),
      'the same with the default policy of today': exactly(0),
      'a reader of the access log is': harm(exactly('Ada')),
      'the owner of the other site is': harm(exactly('Ada')),
    },
    observe: (environment) =>
      observe(environment, { program: 'workshop/13-session-id-in-the-url/wrong-id-in-url.ts' }),
  },
  right: {
    summary: 'the id in a cookie, with Referrer-Policy: no-referrer',
    predicted: {
      'lines of the access log with an id': exactly(0),
      'ids sent to the other site': exactly(0),
      'the same with the default policy of today': exactly(0),
      'a reader of the access log is': exactly('not logged in (401)'),
      'the owner of the other site is': exactly('not logged in (401)'),
    },
    observe: (environment) => observe(environment, {}),
  },
  verdict: (wrong, right) =>
    `With the id in the URL, a reader of the log is ${wrong['a reader of the access log is']}; with a cookie, ${right['a reader of the access log is']}.`,
});
