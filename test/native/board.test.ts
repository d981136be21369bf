import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dot, Hello, Overview, Tick } from '../../services/dashboard/messages.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { ROOT } from '../../tools/lib/root.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { Events } from '../support/events.ts';
import { range } from '../support/proofs.ts';
import { Shopper, sessionIdOf } from '../support/shop.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
});
afterAll(() => stack?.close());

/** An instance without nginx in front of it. */
const direct = (name: string) => `http://127.0.0.1:${stack.process(name).port}`;

async function overview(url = stack.url): Promise<Overview> {
  const reply = await send(`${url}/instances`);
  expect(reply.status).toBe(200);
  return JSON.parse(reply.body);
}

/** A feed of an instance, or else through nginx, for somebody or nobody. */
async function watch(name?: string, visitor?: Visitor): Promise<Events> {
  const url = name ? direct(name) : stack.url;
  return Events.open(`${url}/events`, visitor?.cookie ? { cookie: visitor.cookie } : {});
}

const namesOf = ({ instances }: Overview) => instances.map(({ name }) => name);
const stateOf = ({ instances }: Overview, wanted: string) =>
  instances.find(({ name }) => name === wanted)?.state;
const allReady = (count: number) => (seen: Overview) =>
  seen.instances.length === count && seen.instances.every(({ state }) => state === 'ready');
/** Names of instances that were ever shown as dead. */
const deadIn = (seen: Overview[]) => [
  ...new Set(
    seen.flatMap(({ instances }) =>
      instances.filter(({ state }) => state === 'dead').map(({ name }) => name),
    ),
  ),
];
const totalRate = ({ instances }: Overview) =>
  instances.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
const hashOf = (id: string) => createHash('sha256').update(id).digest('hex').slice(0, 8);
const isWatched = () => inRedis(stack.redis.url, (redis) => redis.exists('board:watched'));
const untilUnwatched = () => eventually(async () => expect(await isWatched()).toBe(0), 8000);

/** The next ticks. */
async function ticks(events: Events, count: number): Promise<Tick[]> {
  const seen: Tick[] = [];
  while (seen.length < count) seen.push(await events.next('tick'));
  return seen;
}

describe('GET /instances', () => {
  it('should show all of them to the first who asks, and soon as ready', async () => {
    await untilUnwatched();
    const reply = await send(`${stack.url}/instances`);
    expect(reply.ms).toBeLessThan(2000);
    expect(reply.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(namesOf(JSON.parse(reply.body))).toEqual(['app-1', 'app-2', 'app-3']);
    await eventually(async () => expect(await overview()).toSatisfy(allReady(3)));
  });

  it('should take no notice of what is no beat, from whoever reaches Redis', async () => {
    await using events = await watch();
    await events.next('tick', ({ instances }) => instances.length === 3); // all of them listen
    await inRedis(stack.redis.url, async (redis) => {
      for (const message of [
        'garbage',
        'null',
        '{"name":"x"}',
        '{"name":"app-1","state":"ready","uptimeSeconds":1,"memoryBytes":1,"cache":{}}',
        '{"name":"app-1","activity":{"ms":1,"requests":1,"latency":{"all":[0]},"served":{}}}',
      ]) {
        expect(await redis.publish('board', message), message).toBe(3);
      }
    });
    expect(deadIn(await ticks(events, 6))).toEqual([]); // for longer than it takes to count as dead
    expect(namesOf(await overview())).toEqual(['app-1', 'app-2', 'app-3']);
  });

  it('should show how long they have run and how much memory they take', async () => {
    const { pid } = await stack.process('app-2').status();
    const { instances, redis } = await overview();
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    const shown = instances.find(({ name }) => name === 'app-2');
    const ratio = (shown?.memoryBytes ?? 0) / (pages * 4096);
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1.4);
    const before = shown?.uptimeSeconds ?? 0;
    expect(before).toBeLessThan(60);
    await eventually(async () => {
      const again = (await overview()).instances.find(({ name }) => name === 'app-2');
      expect(again?.uptimeSeconds).toBeGreaterThan(before);
    }, 3000);
    expect(redis).toMatchObject({ reachable: true });
    expect(redis.memoryBytes).toBeGreaterThan(500_000);
  });

  it('should count what comes through nginx, and only that', async () => {
    await using events = await watch('app-1');
    await events.next('tick', (tick) => allReady(3)(tick) && totalRate(tick) === 0);
    const from = performance.now();
    let sent = 0;
    const rates: number[] = [];
    while (performance.now() - from < 3500) {
      await Promise.all(range(1, 5).map(() => send(`${stack.url}/livez`)));
      sent += 5;
      await delay(100);
      const last = events.ticks.at(-1);
      if (performance.now() - from > 2500 && last) rates.push(totalRate(last));
    }
    const rate = (sent * 1000) / (performance.now() - from);
    const shown = rates.reduce((sum, one) => sum + one, 0) / rates.length;
    expect(shown / rate).toBeGreaterThan(0.75);
    expect(shown / rate).toBeLessThan(1.25);
    for (const { requestsPerSecond, p99Ms } of events.ticks.at(-1)?.instances ?? []) {
      expect(requestsPerSecond / rate).toBeCloseTo(1 / 3, 0.5);
      expect(p99Ms).toBeGreaterThan(0);
      expect(p99Ms).toBeLessThan(1000);
    }

    const isQuiet = (tick: Tick) =>
      tick.instances.every(({ requestsPerSecond, p99Ms }) => !requestsPerSecond && p99Ms === null);
    events.skip();
    await events.next('tick', isQuiet);
    await Promise.all(range(1, 30).map(() => send(`${direct('app-1')}/`)));
    await overview(); // the page itself, not counted even through nginx
    expect((await ticks(events, 3)).every(isQuiet)).toBe(true);
  });

  it('should tell views, hits and misses apart', async () => {
    await using events = await watch('app-2');
    await events.next('tick', ({ latency }) => Object.values(latency).every((ms) => ms === null));
    await new Visitor(stack.url).view();
    const views = await events.next('tick', ({ latency }) => latency.views !== null);
    expect(views.latency).toMatchObject({ hits: null, misses: null });
    await send(`${stack.url}/data`, { method: 'DELETE' });
    await send(`${stack.url}/data`); // the origin takes 200 ms
    const { latency } = await events.next('tick', ({ latency }) => latency.misses !== null);
    expect(latency.misses).toBeGreaterThan(190);
    expect(latency.hits).toBeNull();
    for (const _ of range(1, 6)) await send(`${stack.url}/data`);
    const hit = await events.next('tick', ({ latency }) => latency.hits !== null);
    expect(hit.latency.hits).toBeLessThan(150);
  });

  it('should count nothing soon after nobody watches any more', async () => {
    await overview();
    expect(await isWatched()).toBe(1);
    await untilUnwatched();
    await delay(700); // two beats
    await Promise.all(range(1, 30).map(() => send(`${stack.url}/livez`)));
    await using events = await watch('app-1');
    const seen = [await events.next('hello'), ...(await ticks(events, 4))];
    expect(seen.map(totalRate)).toEqual([0, 0, 0, 0, 0]);
  });

  it('should count sessions', async () => {
    const { sessions } = (await overview()).redis;
    await new Visitor(stack.url).viewInTurn(2);
    const [first, second] = [new Shopper(stack.url), new Shopper(stack.url)];
    await first.add('tea');
    await second.view();
    await second.logIn('Ada');
    await second.add('tea');
    expect((await overview()).redis.sessions).toBe(sessions + 3);
    await second.logOut();
    expect((await overview()).redis.sessions).toBe(sessions + 2);
  });

  it('should say how old /data is', async () => {
    await send(`${stack.url}/data`, { method: 'DELETE' });
    expect((await overview()).redis.dataAgeSeconds).toBeNull();
    const from = Date.now();
    await send(`${stack.url}/data`);
    expect((await overview()).redis.dataAgeSeconds).toBeLessThanOrEqual(1);
    await eventually(async () => {
      expect((await overview()).redis.dataAgeSeconds).toBeGreaterThanOrEqual(2);
    });
    expect(Date.now() - from).toBeGreaterThan(1990);
  });
});

describe('the state of an instance', () => {
  it('should tell who is dead, new, ready or gone, on the feed of another', async () => {
    await using events = await watch('app-1');
    await events.next('tick', allReady(3));
    await stack.process('app-2').kill();
    const from = performance.now();
    await events.next('tick', (tick) => stateOf(tick, 'app-2') === 'dead', 5000);
    expect(performance.now() - from).toBeLessThan(3000);
    await ticks(events, 2);
    expect(deadIn(events.ticks)).toEqual(['app-2']);

    await stack.scale(5);
    events.skip();
    const { instances } = await events.next('tick', allReady(5));
    expect(instances.map(({ name }) => name)).toEqual(range(1, 5).map((n) => `app-${n}`));
    for (const name of ['app-2', 'app-5']) {
      const states = events.ticks.slice(-8).map((tick) => stateOf(tick, name));
      expect(states).toContain('joining');
    }

    const before = events.ticks.length;
    await stack.scale(3);
    await events.next('tick', allReady(3), 5000);
    await ticks(events, 3);
    expect(deadIn(events.ticks.slice(before))).toEqual([]);
    expect(events.ticks.slice(-3).every(allReady(3))).toBe(true);
    expect(namesOf(await overview(direct('app-2')))).toEqual(['app-1', 'app-2', 'app-3']);
  });
});

describe('GET /events', () => {
  it('should come through nginx as it is sent, for longer than a request may take', async () => {
    await using events = await watch();
    const from = performance.now();
    expect(events.status).toBe(200);
    expect(events.headers['content-type']).toMatch(/^text\/event-stream(;|$)/);
    expect(events.headers['cache-control']).toBe('no-store');
    const hello = await events.next('hello');
    expect(performance.now() - from).toBeLessThan(1500);
    expect(events.lines[0]).toBe('retry: 500');
    expect(hello).toMatchObject({ by: events.headers['x-instance'], you: null, dots: [] });

    while (performance.now() - from < 4000) await events.next('tick', undefined, 2000);
    expect(events.isOver).toBe(false);
    const [first, ...others] = events.messages;
    expect(first?.event).toBe('hello');
    expect(others.every(({ event }) => event === 'tick')).toBe(true);
    expect(others.length).toBeGreaterThanOrEqual(6);
    expect(others.length).toBeLessThanOrEqual(10);
    const gaps = others.slice(1).map(({ at }, i) => at - (others[i]?.at ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(1300);
  });

  it('should tell proxies not to hold it back', async () => {
    await using events = await watch('app-1');
    expect(events.headers['x-accel-buffering']).toBe('no');
  });

  it('should end at SIGTERM, so that the page asks another instance', async () => {
    const feeds = await Promise.all(range(1, 3).map(() => watch()));
    try {
      const feed = feeds.find(({ headers }) => headers['x-instance'] === 'app-3');
      if (!feed) throw new Error('nginx asked app-3 for none of three');
      await feed.next('tick');
      const from = performance.now();
      await stack.process('app-3').stop();
      expect((await feed.ended) - from).toBeLessThan(1500);
      expect(performance.now() - from).toBeLessThan(3000);
      expect(feeds.filter(({ isOver }) => isOver)).toEqual([feed]);
      await using again = await watch();
      expect((await again.next('hello')).by).not.toBe('app-3');
    } finally {
      for (const feed of feeds) await feed[Symbol.asyncDispose]();
      await stack.scale(3);
    }
  });

  it('should not hold up the end where it is asked for right after SIGTERM', async () => {
    const url = `${direct('app-3')}/events`;
    const from = performance.now();
    const stopped = stack.process('app-3').stop();
    const feed = await delay(50)
      .then(() => Events.open(url))
      .catch(() => undefined); // refused is as good
    await stopped;
    const ms = performance.now() - from;
    await feed?.[Symbol.asyncDispose]();
    await stack.scale(3);
    expect(ms).toBeLessThan(3000);
  });

  it('should answer HEAD with the headers alone', async () => {
    const reply = await send(`${stack.url}/events`, { method: 'HEAD' });
    expect(reply.status).toBe(200);
    expect(reply.ms).toBeLessThan(1500);
  });
});

describe('the room', () => {
  const has = (dot: Dot) => (tick: Tick) =>
    tick.moved.some((moved) => JSON.stringify(moved) === JSON.stringify(dot));
  const hasId = (id: string) => (tick: Tick) => tick.moved.some(([moved]) => moved === id);

  it('should show everybody who watches, by a hash, where they were served last', async () => {
    const visitors = [new Visitor(stack.url), new Visitor(stack.url)];
    const seen = await Promise.all(visitors.map((visitor) => visitor.view()));
    const ids = visitors.map((visitor) => hashOf(sessionIdOf(visitor)));
    expect(seen.map(({ session }) => session)).toEqual(ids);
    const [first = '', second = ''] = ids;
    await using observer = await watch('app-1');
    await observer.next('tick', ({ room }) => room.people === 0);
    await using one = await watch('app-2', visitors[0]);
    await using two = await watch(undefined, visitors[1]);
    expect((await one.next('hello')).you).toBe(first);
    expect((await two.next('hello')).you).toBe(second);
    await observer.next('tick', ({ room }) => room.people === 2);
    await one.next('tick', ({ room }) => room.people === 2);

    for (const _ of range(1, 6)) {
      const { views, instance } = (await visitors[0]?.view()) ?? {};
      await observer.next('tick', has([first, instance ?? '', views ?? 0, '']));
    }
    const { room } = await observer.next('tick');
    expect(room).toEqual({ people: 2, views: 7 + 1 });
    await using late = await watch('app-3');
    const isAll = (hello: Hello) => hello.dots.length === 2;
    expect((await late.next('hello', isAll)).dots.map(([id]) => id).sort()).toEqual(ids.sort());

    await two[Symbol.asyncDispose]();
    const { left } = await observer.next('tick', (tick) => tick.left.length > 0, 3000);
    expect(left).toEqual([second]);
    expect((await observer.next('tick')).room.people).toBe(1);

    const all = [observer, one, two, late].flatMap(({ lines }) => lines).join('\n');
    for (const visitor of visitors) {
      expect(all).not.toContain(sessionIdOf(visitor));
      expect(all).not.toContain(visitor.cookies.get('connect.sid')?.slice(-20));
    }
  });

  it('should show somebody with several pages once, until the last is closed', async () => {
    const visitor = new Visitor(stack.url);
    const { session } = await visitor.view();
    await using observer = await watch('app-1');
    await using one = await watch('app-2', visitor);
    await using two = await watch('app-3', visitor);
    await using three = await watch('app-3', visitor);
    await observer.next('tick', hasId(session));
    expect((await ticks(observer, 3)).map(({ room }) => room.people)).toEqual([1, 1, 1]);
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
    expect((await ticks(observer, 4)).map(({ room }) => room.people)).toEqual([1, 1, 1, 1]);
    await three[Symbol.asyncDispose]();
    await observer.next('tick', ({ left }) => left.includes(session), 3000);
  });

  it('should show the name of somebody who is logged in', async () => {
    const shopper = new Shopper(stack.url);
    await shopper.view();
    await shopper.logIn('Ada <b>');
    const id = hashOf(sessionIdOf(shopper));
    await using observer = await watch('app-1');
    await using page = await watch('app-2', shopper);
    const { moved } = await observer.next('tick', hasId(id));
    expect(moved.find(([moved]) => moved === id)?.[3]).toBe('Ada <b>');
    expect((await page.next('hello')).you).toBe(id);
  });

  it('should not show somebody whose session has ended', async () => {
    const ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    const old = ada.copy();
    await ada.logOut();
    await using events = await watch(undefined, old);
    expect((await events.next('hello')).you).toBeNull();
  });

  it('should not show somebody whose cookie is not rightly signed', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.view();
    const cookie = visitor.cookie.slice(0, -4);
    await using events = await Events.open(`${direct('app-1')}/events`, { cookie });
    expect((await events.next('hello')).you).toBeNull();
    await events.next('tick', ({ room }) => room.people === 0, 5000);
  });

  it('should lose those whose instance was killed, unless they come back', async () => {
    const [stays, goes] = [new Visitor(stack.url), new Visitor(stack.url)];
    const [{ session: staying }, { session: going }] = await Promise.all([
      stays.view(),
      goes.view(),
    ]);
    await using observer = await watch('app-1');
    await using one = await watch('app-2', stays);
    await using two = await watch('app-2', goes);
    await observer.next('tick', ({ room }) => room.people === 2);
    await stack.process('app-2').kill();
    await Promise.all([one.ended, two.ended]);
    await using again = await watch('app-3', stays);
    await observer.next('tick', ({ left }) => left.includes(going), 5000);
    const { room } = await observer.next('tick');
    expect(room.people).toBe(1);
    expect((await again.next('hello')).you).toBe(staying);
    await stack.scale(3);
  });
});

describe('the feed while Redis is away', () => {
  const outages: [string, () => unknown, () => unknown][] = [
    ['hangs', () => stack.redis.pause(), () => stack.redis.resume()],
    ['is dead', () => stack.redis.kill(), () => stack.redis.start()],
  ];

  it.each(outages)('should go on where Redis %s, and recover', async (_how, begin, end) => {
    const visitor = new Visitor(stack.url);
    const { session } = await visitor.view();
    await using events = await watch('app-1', visitor);
    await events.next('tick', (tick) => allReady(3)(tick) && tick.room.people === 1);
    const from = performance.now();
    await begin();
    await events.next('tick', ({ redis }) => !redis.reachable);
    expect(performance.now() - from).toBeLessThan(3000);
    expect((await ticks(events, 4)).every(({ redis }) => !redis.reachable)).toBe(true);
    await end();
    await events.next('tick', ({ redis }) => redis.reachable, 5000);
    const after = await ticks(events, 5);
    expect(after.every(({ redis }) => redis.reachable)).toBe(true);
    expect(deadIn(events.ticks)).toEqual([]);
    expect(after.at(-1)).toSatisfy(allReady(3));
    expect(events.ticks.flatMap(({ left }) => left)).not.toContain(session);
    expect(after.at(-1)?.room.people).toBe(1);
    const { views, instance } = await eventually(() => visitor.view());
    const { moved } = await events.next('tick', (tick) => tick.moved.length > 0);
    expect(moved).toEqual([[session, instance, views, '']]);
  });

  it('should begin and go on where nobody had watched before', async () => {
    await untilUnwatched();
    await delay(700); // until the instances have noticed
    stack.redis.pause();
    try {
      await using events = await watch();
      expect((await events.next('hello')).redis.reachable).toBe(false);
      const seen = await ticks(events, 6);
      expect(seen.every(({ redis }) => !redis.reachable)).toBe(true);
      stack.redis.resume();
      await events.next('tick', (tick) => tick.redis.reachable && allReady(3)(tick));
    } finally {
      await resume();
    }
  });

  it('should show as dead only who had died before, and a page opened meanwhile in the room later', async () => {
    const visitor = new Visitor(stack.url);
    const { session } = await visitor.view();
    await using before = await watch('app-1');
    await before.next('tick', allReady(3));
    await stack.process('app-2').kill();
    await before.next('tick', (tick) => stateOf(tick, 'app-2') === 'dead');
    stack.redis.pause();
    try {
      await before.next('tick', ({ redis }) => !redis.reachable);
      const seen = await ticks(before, 4);
      expect.soft(seen.map((tick) => deadIn([tick]))).toEqual(seen.map(() => ['app-2']));
      await using opened = await watch('app-3', visitor);
      const hello = await opened.next('hello');
      await ticks(opened, 2);
      expect.soft(deadIn([hello, ...opened.ticks])).toEqual(['app-2']);
      stack.redis.resume();
      await opened.ended; // it is to ask again
      await using again = await watch('app-3', visitor);
      expect((await again.next('hello')).you).toBe(session);
      await again.next('tick', ({ moved }) => moved.some(([id]) => id === session));
    } finally {
      await resume();
      await stack.scale(3);
    }
  });

  async function resume(): Promise<void> {
    if ((await stack.redis.status()).state === 'paused') stack.redis.resume();
  }
});

describe('the files of the page', () => {
  async function addresses(): Promise<string[]> {
    const { body } = await send(`${stack.url}/`, { headers: { accept: 'text/html' } });
    return [...new Set(body.match(/\/board\/\w+\/[\w.-]+/g))];
  }

  it('should be kept for ever by a browser', async () => {
    const found = await addresses();
    expect(found.length).toBeGreaterThan(0);
    for (const address of found) {
      const reply = await send(stack.url + address);
      expect(reply.status).toBe(200);
      expect(reply.headers['cache-control']).toBe('public, max-age=31536000, immutable');
      expect(reply.headers['content-type']).toMatch(/^(text\/(javascript|css)|image\/svg\+xml)/);
      expect(reply.headers['x-content-type-options']).toBe('nosniff');
      expect(reply.headers['content-encoding']).toBeUndefined();
      expect(Number(reply.headers['content-length'])).toBe(Buffer.byteLength(reply.body));
      const compressed = await fetch(stack.url + address); // as a browser asks for it
      expect(await compressed.text()).toBe(reply.body);
      expect(compressed.headers.get('cache-control')).toBe(reply.headers['cache-control']);
    }
  });

  it('should be what is on the disk', async () => {
    const [, version] = /\/board\/(\w+)\//.exec((await addresses())[0] ?? '') ?? [];
    const { body } = await send(`${stack.url}/board/${version}/uPlot.min.css`);
    expect(body).toBe(readFileSync(join(ROOT, 'node_modules/uplot/dist/uPlot.min.css'), 'utf8'));
  });

  it('should be sent under another version too, to be kept by nobody', async () => {
    const reply = await send(`${stack.url}/board/0123456789ab/uPlot.min.css`);
    expect(reply.status).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
  });

  it.each(['nothing.js', 'package.json', '..%2fpage.ts', '%2e%2e%2fboard.ts', 'constructor', ''])(
    'should not be %j',
    async (file) => {
      const reply = await send(`${stack.url}/board/0123456789ab/${file}`);
      expect(reply.status).toBe(404);
    },
  );
});

describe('the code of the room', () => {
  const svgOf = async (url: string, host = new URL(url).host) => {
    const reply = await send(`${url}/room.svg`, { headers: { host } });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toMatch(/^image\/svg\+xml/);
    expect(reply.body).toMatch(/^(<\?xml[^>]*>\s*)?<svg [^>]*viewBox="[^"]+"(.|\n)*<\/svg>\s*$/);
    return reply.body;
  };

  it('should be an SVG of the address that it was asked by', async () => {
    expect(await svgOf(stack.url, 'first.test')).not.toBe(await svgOf(stack.url, 'other.test'));
  });

  it('should refuse what can be no address', async () => {
    const headers = { host: 'a'.repeat(3000) };
    expect((await send(`${stack.url}/room.svg`, { headers })).status).toBe(400);
  });
});

describe('a stack with sessions in memory, and an audience', () => {
  let other: Stack;
  beforeAll(async () => {
    const env = { SESSION_STORE: 'memory', PUBLIC_URL: 'http://192.0.2.7:8080' };
    other = await Stack.start({ scale: 2, env: { ...process.env, ...env } });
  });
  afterAll(() => other?.close());

  it('should show the switches as they are set', async () => {
    expect((await overview(other.url)).switches).toEqual({
      ...(await overview()).switches,
      SESSION_STORE: 'memory',
    });
    expect((await overview()).switches).toEqual({
      SESSION_STORE: 'redis',
      COUNTER: 'atomic',
      IDEMPOTENCY: 'on',
      CACHE: 'local',
      CACHE_GUARD: 'cluster',
    });
  });

  it('should count the lookups and calls of all caches together', async () => {
    const before = await overview(other.url);
    expect(before.cache).toMatchObject({ originCalls: 0, misses: 0, hitRatio: null });
    const replies = await Promise.all(range(1, 100).map(() => send(`${other.url}/data`)));
    expect(replies.every(({ status }) => status === 200)).toBe(true);
    await eventually(async () => {
      const { cache } = await overview(other.url);
      expect(cache).toMatchObject({ originCalls: 1, originFailures: 0, misses: 1, bypasses: 0 });
      const { localHits, redisHits, sharedLoads, stale } = cache;
      expect(localHits + redisHits + sharedLoads + stale).toBe(99);
      expect(cache.hitRatio).toBeCloseTo(0.99, 10);
    });
  });

  it('should lead to PUBLIC_URL whatever it was asked by', async () => {
    const svgOf = async (host: string) =>
      (await send(`${other.url}/room.svg`, { headers: { host } })).body;
    expect(await svgOf('first.test')).toBe(await svgOf('other.test'));
  });

  it('should show no chaos where it is off', async () => {
    expect((await overview(other.url)).chaos).toMatchObject({ enabled: false, needsKey: false });
  });
});
