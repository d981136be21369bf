import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '../../tools/lib/eventually.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import type { Lab, Setup, Site } from '../kit/lab.ts';
import { exactly, lesson } from '../kit/lesson.ts';
import { referrerOf } from './referrer.ts';

/** A signed id, wherever it is. */
const SIGNED_ID = /s(?::|%3A)[\w-]{20,}\.[\w%+/-]+/g;

/** Ada logs in, looks at the page, follows a link to another site, and goes on. */
async function observe(lab: Lab, setup: Setup) {
  const site = await lab.start({ scale: 2, ...setup });
  const ada = new Visitor(site.url);
  const headers = { 'content-type': 'application/json' };
  const login = await ada.send('/login', { method: 'POST', headers, body: '{"name":"Ada"}' });
  const { href } = new URL(login.headers.location ?? '/', site.url); // the page that comes next
  const path = href.slice(site.url.length);
  const page = await ada.send(path, { headers: { accept: 'text/html' } });
  const referer = await follow(href, String(page.headers['referrer-policy']));
  const byDefault = await follow(href, '');
  const cart = path.replace('/', '/cart');
  await ada.send(cart);

  const log = await wholeLog(site, ['POST /login', `GET ${path}`, `GET ${cart}`]);
  return {
    'lines of the access log with an id': idsIn(log).length,
    'ids that the other site was told': idsIn(referer).length,
    'the same without that policy, today': idsIn(byDefault).length,
    'whoever has the access log is': await whoIs(site, log),
    'whoever has the other site is': await whoIs(site, referer),
  };
}

/** Follows a link on a page to another site, as a browser does. Resolves to the Referer that came there. */
async function follow(page: string, policy: string): Promise<string> {
  let told = '';
  const other = createServer((req, res) => {
    told = req.headers.referer ?? '';
    res.end();
  });
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const link = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  const referer = referrerOf(new URL(page), new URL(link), policy);
  await send(link, { headers: { ...(referer !== undefined && { referer }) } });
  other.close();
  return told;
}

/** The access log, as soon as it has these requests; each process of nginx writes its own lines. */
async function wholeLog(site: Site, requests: string[]): Promise<string> {
  return eventually(async () => {
    const log = await site.accessLog();
    const missing = requests.find((request) => !log.includes(`"${request} HTTP/1.1"`));
    if (missing) throw new Error(`the access log has no ${missing}`);
    return log;
  });
}

function idsIn(text: string): string[] {
  return text.match(SIGNED_ID) ?? [];
}

/** Who somebody is who tries the first id of a text, as a cookie and in the URL. */
async function whoIs({ url }: Site, text: string): Promise<string> {
  const [id = ''] = idsIn(text);
  const { status, body } = await send(`${url}/me?sid=${id}`, {
    headers: { cookie: `connect.sid=${id}` },
  });
  return status === 200 ? JSON.parse(body).name : `nobody (${status})`;
}

export default lesson({
  claim:
    'An id in the URL is told to the access log and, by the Referer, to other sites, and whoever has it is logged in; a cookie is told to neither.',
  wrong: {
    what: 'the id in the URL, and the Referrer-Policy of the browsers before 2020',
    predicted: {
      'lines of the access log with an id': exactly(2),
      'ids that the other site was told': exactly(1),
      'the same without that policy, today': exactly(0),
      'whoever has the access log is': exactly('Ada'),
      'whoever has the other site is': exactly('Ada'),
    },
    observe: (lab) =>
      observe(lab, { program: 'workshop/13-session-id-in-the-url/wrong-id-in-url.ts' }),
  },
  right: {
    what: 'the id in a cookie, and Referrer-Policy: no-referrer',
    predicted: {
      'lines of the access log with an id': exactly(0),
      'ids that the other site was told': exactly(0),
      'the same without that policy, today': exactly(0),
      'whoever has the access log is': exactly('nobody (401)'),
      'whoever has the other site is': exactly('nobody (401)'),
    },
    observe: (lab) => observe(lab, {}),
  },
  verdict: (wrong, right) =>
    `With the id in the URL whoever has the log, or the other site, is ${wrong['whoever has the access log is']}; with a cookie ${right['whoever has the access log is']}.`,
});
