// Proves that logins and carts are shared: visitors look around, log in, buy and leave.
//   -e VUS=10       the most visitors at a time
//   -e DURATION=30s in all: a third each to come, to stay and to go
//   -e THINK_MS=500 that a visitor waits between two steps, on average
import { check, group, sleep } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { BASE_URL, seconds, wholeNumber } from './lib/settings.ts';
import { noteInstance, type Site, setup } from './lib/site.ts';
import { summaryOf } from './lib/summary.ts';
import { view } from './lib/visitor.ts';

const VUS = wholeNumber('VUS', 10);
const THIRD = `${Math.ceil(seconds('DURATION', '30s') / 3)}s`;
const THINK_MS = wholeNumber('THINK_MS', 500);
/** Of a hundred visitors so many buy; and of those, so many log out in the end. */
const BUYERS = 60;
const TIDY = 80;
const GOODS = ['tea', 'coffee', 'cocoa', 'mate', 'chai'];

const visits = new Counter('visits');
const sales = new Counter('sales');

export const options = {
  scenarios: {
    visitors: {
      executor: 'ramping-vus',
      startVUs: 1,
      stages: [
        { duration: THIRD, target: VUS },
        { duration: THIRD, target: VUS },
        { duration: THIRD, target: 0 },
      ],
    },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    visits: ['count>=1'],
    sales: ['count>=1'],
    'http_req_duration{scenario:visitors}': ['p(95)<500'],
  },
};

export { setup };

export default function visitor(site: Site) {
  group('look around', () => {
    for (const views of [1, 2]) {
      const seen = view(site);
      check(seen, { 'the view is counted': () => seen.views === views });
      think();
    }
  });
  // The first one buys, so that no run is without.
  if (__ITER === 0 || isOneOf(BUYERS)) {
    buy(site);
    sales.add(1);
  }
  visits.add(1);
}

function buy(site: Site) {
  const name = `Visitor ${__VU}-${__ITER}`;
  group('log in', () => {
    const answer = send(site, 'POST', '/login', { name });
    check(answer, { 'who logs in is known': ({ status }) => status === 200 });
    think();
  });
  const cart: Record<string, number> = {};
  group('fill the cart', () => {
    for (let i = 0; i < 3; i += 1) {
      const item = GOODS[Math.floor(Math.random() * GOODS.length)] ?? 'tea';
      cart[item] = (cart[item] ?? 0) + 1;
      const answer = send(site, 'POST', '/cart', { item, quantity: 1 });
      check(answer, { 'the cart has as many': () => answer.json('quantity') === cart[item] });
      think();
    }
  });
  group('check out', () => {
    const answer = send(site, 'GET', '/me');
    const me = answer.json() as { name: string; views: number; cart: Record<string, number> };
    check(me, {
      'the name is there': () => me.name === name,
      'the views are there': () => me.views === 2,
      'the cart is there': () =>
        Object.keys(me.cart).length === Object.keys(cart).length &&
        Object.entries(cart).every(([item, quantity]) => me.cart[item] === quantity),
    });
  });
  if (!isOneOf(TIDY)) return;
  group('log out', () => {
    const answer = send(site, 'POST', '/logout');
    check(answer, { 'who logs out is forgotten': ({ status }) => status === 204 });
    const { views } = view(site);
    check(views, { 'and begins anew': () => views === 1 });
  });
}

function send(site: Site, method: 'GET' | 'POST', path: string, body?: object) {
  const response = http.request(method, BASE_URL + path, body ? JSON.stringify(body) : null, {
    headers: { 'Content-Type': 'application/json' },
    tags: { name: path },
  });
  noteInstance(site, response);
  return response;
}

function think() {
  sleep((THINK_MS / 1000) * (0.5 + Math.random()));
}

function isOneOf(percent: number): boolean {
  return Math.random() * 100 < percent;
}

export const handleSummary = summaryOf('shop', 'Logins and carts are shared by all instances');
