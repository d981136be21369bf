import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hello, Overview, Tick } from '../../services/dashboard/protocol.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { runDashboard } from '../support/dashboard.ts';
import { Events } from '../support/events.ts';
import { range } from '../support/proofs.ts';
import { Shopper, sessionIdOf } from '../support/shop.ts';
import { isSpread } from '../support/topology.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
});
afterAll(() => stack?.close());

/** An instance or the dashboard without nginx in front of it. */
const direct = (name: string) => `http://127.0.0.1:${stack.process(name).port}`;

async function overview(url = stack.url): Promise<Overview> {
  const reply = await send(`${url}/dashboard/instances`);
  expect(reply.status).toBe(200);
  return JSON.parse(reply.body);
}

/** An event stream, with the session of a visitor or without one. */
async function watch(visitor?: Visitor, url = stack.url): Promise<Events> {
  const headers: Record<string, string> = visitor?.cookie ? { cookie: visitor.cookie } : {};
  return Events.open(`${url}/dashboard/events`, headers);
}

/** Another dashboard beside that of the stack. */
async function secondDashboard() {
  return runDashboard({ REDIS_URL: stack.topology.url, INSTANCE: 'dashboard-2' });
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

/** How often an instance was scraped so far; asking is itself a scrape. */
async function scrapesOf(name: string): Promise<number> {
  const { body } = await send(`${direct(name)}/metrics`);
  const line = body
    .split('\n')
    .find((text) => /^http_request_duration_seconds_count\{.*route="\/metrics"/.test(text));
  return Number(line?.split(' ').at(-1) ?? 0);
}

/** Resolves once no instance is scraped any more: only this test asks for its metrics. */
async function untilUnwatched(): Promise<void> {
  await eventually(async () => {
    const before = await scrapesOf('app-1');
    await delay(1500);
    expect(await scrapesOf('app-1')).toBe(before + 1);
  }, 15_000);
}

/** The next ticks. */
async function ticks(events: Events, count: number): Promise<Tick[]> {
  const seen: Tick[] = [];
  while (seen.length < count) seen.push(await events.next('tick'));
  return seen;
}

/** How often a dashboard has polled Redis so far: nothing else scans keys there. */
async function pollsSoFar(): Promise<string> {
  const stats = await inRedis(stack.topology.url, (redis) => redis.info('commandstats'));
  return /^cmdstat_scan:calls=(\d+)/m.exec(stats)?.[1] ?? '0';
}

describe('GET /dashboard/instances', () => {
  it('should show all instances with the first request, and soon as ready', async () => {
    await untilUnwatched();
    const reply = await send(`${stack.url}/dashboard/instances`);
    expect(reply.ms).toBeLessThan(2000);
    expect(reply.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(reply.headers['cache-control']).toBe('no-store');
    const first: Overview = JSON.parse(reply.body);
    expect(namesOf(first)).toEqual(['app-1', 'app-2', 'app-3']);
    expect(first.instances.map(({ memoryBytes }) => memoryBytes > 0)).toEqual([true, true, true]);
    await eventually(async () => expect(await overview()).toSatisfy(allReady(3)));
  });

  it('should ignore malformed heartbeat records and an audience that is none', async () => {
    await using events = await watch();
    await events.next('tick', allReady(3));
    const record = { name: 'x', owner: 'o', address: '127.0.0.1:1', state: 'ready' };
    const malformed = [
      'garbage',
      'null',
      '{"name":"x"}',
      JSON.stringify({ ...record, address: 'http://evil.test/' }),
      JSON.stringify({ ...record, state: 'dead' }),
      JSON.stringify({ ...record, name: '<b>' }),
    ];
    await inRedis(stack.topology.url, async (redis) => {
      for (const [i, value] of malformed.entries()) {
        await redis.set(`{dashboard}:heartbeat:x-${i}`, value, {
          expiration: { type: 'EX', value: 5 },
        });
        await redis.sAdd('{dashboard}:instances', `x-${i}`);
      }
      await redis.hSet('{dashboard}:heartbeat:x-hash', 'name', 'x');
      await redis.sAdd('{dashboard}:instances', 'x-hash');
      await redis.hSet('{dashboard}:audience', 'x', 'no number');
    });
    events.skip();
    const seen = await ticks(events, 6);
    expect(seen.every(allReady(3))).toBe(true);
    expect(seen.every(({ audience }) => audience.participants === 0)).toBe(true);

    await inRedis(stack.topology.url, async (redis) => {
      await redis.del([
        '{dashboard}:heartbeat:x-hash',
        '{dashboard}:instances',
        '{dashboard}:audience',
        '{dashboard}:leases',
      ]);
      for (const key of ['{dashboard}:instances', '{dashboard}:audience', '{dashboard}:leases']) {
        await redis.set(key, 'garbage');
      }
    });
    events.skip();
    const after = await ticks(events, 6); // for longer than it takes to count as dead
    expect(after.every(allReady(3))).toBe(true);
    expect(after.every(({ redis }) => redis.reachable)).toBe(true);
  });

  it('should show how long instances have run and how much memory they take', async () => {
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

  it('should count requests, but no probes, scrapes and requests of the page itself', async () => {
    await using events = await watch();
    await events.next('tick', (tick) => allReady(3)(tick) && totalRate(tick) === 0);
    const from = performance.now();
    let sent = 0;
    const rates: number[] = [];
    while (performance.now() - from < 4500) {
      await Promise.all(range(1, 5).map(() => send(`${stack.url}/data`)));
      sent += 5;
      await delay(100);
      const last = events.ticks.at(-1);
      if (performance.now() - from > 3500 && last) rates.push(totalRate(last));
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
    await Promise.all(range(1, 30).map(() => send(`${stack.url}/livez`)));
    await Promise.all(range(1, 30).map(() => send(`${direct('app-1')}/readyz`)));
    await Promise.all(range(1, 30).map(() => send(`${direct('app-1')}/metrics`)));
    await overview();
    expect((await ticks(events, 6)).every(isQuiet)).toBe(true);
  });

  it('should tell views, hits and misses apart', async () => {
    await using events = await watch();
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

  it('should neither poll Redis nor scrape instances while no client watches', async () => {
    await overview();
    const scrapes = await scrapesOf('app-1');
    await eventually(async () => {
      await overview();
      expect(await scrapesOf('app-1')).toBeGreaterThan(scrapes + 3);
    });
    await untilUnwatched();
    const polls = await pollsSoFar();
    await delay(1500); // three polls
    expect(await pollsSoFar()).toBe(polls);
    await Promise.all(range(1, 30).map(() => send(`${stack.url}/data`)));
    await using events = await watch();
    const seen = [await events.next('hello'), ...(await ticks(events, 4))];
    expect(seen.map(totalRate)).toEqual([0, 0, 0, 0, 0]);
  });

  it('should not wait for an instance that hangs', async () => {
    await using events = await watch();
    await events.next('tick', allReady(3));
    stack.process('app-1').pause();
    try {
      await Promise.all(range(1, 20).map(() => send(`${direct('app-3')}/data`)));
      const isCounted = ({ instances }: Tick) => (instances[2]?.requestsPerSecond ?? 0) > 0;
      await events.next('tick', isCounted, 3000);
    } finally {
      stack.process('app-1').resume();
    }
    await events.next('tick', allReady(3));
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
  it('should be dead, joining, ready or gone, as two dashboards see it', async () => {
    await using second = await secondDashboard();
    // not through nginx, which ends streams when it is reloaded
    await using events = await watch(undefined, direct('dashboard'));
    await using others = await watch(undefined, second.url);
    await Promise.all([events.next('tick', allReady(3)), others.next('tick', allReady(3))]);
    await stack.process('app-2').kill();
    const from = performance.now();
    const isDead = (tick: Tick) => stateOf(tick, 'app-2') === 'dead';
    await events.next('tick', isDead, 5000);
    // By its closed connections: the heartbeat of it ends 2 s later.
    expect(performance.now() - from).toBeLessThan(1500);
    await others.next('tick', isDead, 1500);
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
    const [here, there] = [await overview(), await overview(second.url)];
    expect(namesOf(here)).toEqual(['app-1', 'app-2', 'app-3']);
    expect(namesOf(there)).toEqual(namesOf(here));
  });

  it('should not be dead because the dashboard stood still', async () => {
    await using events = await watch(undefined, direct('dashboard'));
    await events.next('tick', allReady(3));
    stack.dashboard.pause();
    await delay(2500); // longer than a heartbeat lives
    stack.dashboard.resume();
    events.skip();
    expect((await ticks(events, 6)).every(allReady(3))).toBe(true);
  });
});

describe('GET /dashboard/events', () => {
  it('should come through nginx as it is sent, for longer than a request may take', async () => {
    await using events = await watch();
    const from = performance.now();
    expect(events.status).toBe(200);
    expect(events.headers['content-type']).toMatch(/^text\/event-stream(;|$)/);
    expect(events.headers['cache-control']).toBe('no-store');
    const hello = await events.next('hello');
    expect(performance.now() - from).toBeLessThan(1500);
    expect(events.lines[0]).toBe('retry: 500');
    expect(hello).toMatchObject({
      via: events.headers['x-instance'],
      you: null,
      participants: [],
      publicUrl: null,
    });

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
    await using events = await watch(undefined, direct('dashboard'));
    expect(events.headers['x-accel-buffering']).toBe('no');
  });

  it('should end at SIGTERM, so that the page connects via another dashboard', async () => {
    await using second = await secondDashboard();
    const app = stack.instances.map(({ port }) => port);
    stack.nginx.write({ app, dashboard: [stack.dashboard.port, second.port] });
    await stack.nginx.reload();
    const streams = await Promise.all(range(1, 4).map(() => watch()));
    try {
      const isOfSecond = (events: Events) => events.headers['x-instance'] === 'dashboard-2';
      const [stream] = streams.filter(isOfSecond);
      if (!stream) throw new Error('nginx asked dashboard-2 for none of four');
      await stream.next('tick');
      const from = performance.now();
      second.child.kill('SIGTERM');
      expect((await stream.ended) - from).toBeLessThan(1500);
      expect((await second.ended).code).toBe(0);
      expect(performance.now() - from).toBeLessThan(3000);
      expect(streams.filter(({ isOver }) => isOver)).toEqual(streams.filter(isOfSecond));
      for (const _ of range(1, 2)) {
        await using again = await watch();
        expect((await again.next('hello')).via).toBe('dashboard');
      }
    } finally {
      for (const stream of streams) await stream[Symbol.asyncDispose]();
      await stack.scale(3);
    }
  });

  it('should not delay the end if it is requested right after SIGTERM', async () => {
    await using second = await secondDashboard();
    const from = performance.now();
    second.child.kill('SIGTERM');
    const stream = await delay(50)
      .then(() => Events.open(`${second.url}/dashboard/events`))
      .catch(() => undefined); // a refusal is as good
    await second.ended;
    const ms = performance.now() - from;
    await stream?.[Symbol.asyncDispose]();
    expect(ms).toBeLessThan(3000);
  });

  it('should answer HEAD with the headers alone', async () => {
    const reply = await send(`${stack.url}/dashboard/events`, { method: 'HEAD' });
    expect(reply.status).toBe(200);
    expect(reply.ms).toBeLessThan(1500);
  });
});

/** Reports a view as the page does. */
async function report(
  visitor: Visitor,
  body: unknown,
  more: Record<string, string> = {},
): Promise<number> {
  const headers = { 'content-type': 'application/json', ...more };
  const sending = { method: 'POST', headers, body: JSON.stringify(body) };
  return (await visitor.send('/dashboard/participants', sending)).status;
}

describe('the audience', () => {
  const has = (participant: unknown[]) => (tick: Tick) =>
    tick.moved.some((moved) => moved.slice(0, 4).join() === participant.join());
  const hasId = (id: string) => (tick: Tick) => tick.moved.some(([moved]) => moved === id);
  const isOf = (count: number) => (tick: Tick) => tick.audience.participants === count;

  it('should be all who watch, by a hash, at the instance that served them last', async () => {
    await using dashboard = await secondDashboard();
    const visitors = [new Visitor(stack.url), new Visitor(stack.url)];
    const seen = await Promise.all(visitors.map((visitor) => visitor.view()));
    const ids = visitors.map((visitor) => hashOf(sessionIdOf(visitor)));
    expect(seen.map(({ session }) => session)).toEqual(ids);
    const [first = '', second = ''] = ids;
    await using observer = await watch();
    await observer.next('tick', isOf(0));
    await using one = await watch(visitors[0]);
    await using two = await watch(visitors[1], dashboard.url);
    expect((await one.next('hello')).you).toBe(first);
    expect((await two.next('hello')).you).toBe(second);
    await observer.next('tick', isOf(2));
    await one.next('tick', isOf(2));
    await two.next('tick', isOf(2));

    for (const _ of range(1, 6)) {
      const { views = 0, instance = '' } = (await visitors[0]?.view()) ?? {};
      expect(await report(visitors[0] as Visitor, { views, instance })).toBe(204);
      for (const stream of [observer, two]) {
        await stream.next('tick', has([first, instance, views, '']));
      }
    }
    const { audience } = await observer.next('tick');
    expect(audience).toEqual({ participants: 2, views: 7 + 1 });
    await using late = await watch(undefined, dashboard.url);
    const isAll = (hello: Hello) => hello.participants.length === 2;
    const hello = await late.next('hello', isAll);
    expect(hello.participants.map(([id]) => id).sort()).toEqual(ids.sort());

    await two[Symbol.asyncDispose]();
    const { left } = await observer.next('tick', (tick) => tick.left.length > 0, 3000);
    expect(left).toEqual([second]);
    expect((await observer.next('tick')).audience.participants).toBe(1);

    const all = [observer, one, two, late].flatMap(({ lines }) => lines).join('\n');
    for (const visitor of visitors) {
      expect(all).not.toContain(sessionIdOf(visitor));
      expect(all).not.toContain(visitor.cookies.get('connect.sid')?.slice(-20));
    }
  });

  it('should show a visitor with several pages once, until the last is closed', async () => {
    await using dashboard = await secondDashboard();
    const visitor = new Visitor(stack.url);
    const { session } = await visitor.view();
    await using observer = await watch();
    await using one = await watch(visitor);
    await using two = await watch(visitor, dashboard.url);
    await using three = await watch(visitor, dashboard.url);
    await observer.next('tick', hasId(session));
    // until the pages of the tests before have left
    await observer.next('tick', ({ audience }) => audience.participants === 1, 5000);
    const countsOf = async (count: number) =>
      (await ticks(observer, count)).map(({ audience }) => audience.participants);
    expect(await countsOf(3)).toEqual([1, 1, 1]);
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
    expect(await countsOf(5)).toEqual([1, 1, 1, 1, 1]);
    await three[Symbol.asyncDispose]();
    await observer.next('tick', ({ left }) => left.includes(session), 3000);
  });

  it('should show the name of a visitor who is logged in', async () => {
    const shopper = new Shopper(stack.url);
    await shopper.view();
    await shopper.logIn('Ada <b>');
    const id = hashOf(sessionIdOf(shopper));
    await using observer = await watch();
    await using page = await watch(shopper);
    const { moved } = await observer.next('tick', hasId(id));
    expect(moved.find(([moved]) => moved === id)?.[3]).toBe('Ada <b>');
    expect((await page.next('hello')).you).toBe(id);
    expect(await report(shopper, { views: 5, instance: 'app-2' })).toBe(204);
    await observer.next('tick', has([id, 'app-2', 5, 'Ada <b>']));
  });

  it('should not take back views if two reports arrive in another order', async () => {
    const visitor = new Visitor(stack.url);
    const { session } = await visitor.view();
    await using observer = await watch(visitor);
    await observer.next('tick', hasId(session));
    await report(visitor, { views: 9, instance: 'app-2' });
    await report(visitor, { views: 8, instance: 'app-3' });
    await observer.next('tick', has([session, 'app-3', 9, '']));
  });

  it('should give each a number of its own, and the same one when it comes back', async () => {
    await using dashboard = await secondDashboard();
    const visitors = [new Visitor(stack.url), new Visitor(stack.url)];
    await Promise.all(visitors.map((visitor) => visitor.view()));
    const numberOf = ({ you, participants }: Hello) =>
      participants.find(([id]) => id === you)?.[4] ?? 0;
    await using observer = await watch();
    const numbers: number[] = [];
    for (const visitor of visitors) {
      await using page = await watch(visitor);
      numbers.push(numberOf(await page.next('hello')));
    }
    expect(Math.min(...numbers)).toBeGreaterThan(0);
    expect(new Set(numbers).size).toBe(2);
    await observer.next('tick', ({ left }) => left.length > 0, 5000);
    await observer.next('tick', ({ audience }) => audience.participants === 0, 5000);
    const again: number[] = [];
    for (const visitor of visitors.toReversed()) {
      await using page = await watch(visitor, dashboard.url);
      again.unshift(numberOf(await page.next('hello')));
    }
    expect(again).toEqual(numbers);
  });

  it('should not show a visitor whose session has ended', async () => {
    const ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    const old = ada.copy();
    await ada.logOut();
    await using events = await watch(old);
    expect((await events.next('hello')).you).toBeNull();
  });

  it('should not show a visitor whose cookie is not correctly signed', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.view();
    const cookie = visitor.cookie.slice(0, -4);
    await using events = await Events.open(`${stack.url}/dashboard/events`, { cookie });
    expect((await events.next('hello')).you).toBeNull();
    await events.next('tick', isOf(0), 5000);
  });

  it('should not show a visitor who reports views without having the page open', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.view();
    await using observer = await watch();
    await observer.next('tick', isOf(0));
    for (const stranger of [visitor, new Visitor(stack.url)]) {
      expect(await report(stranger, { views: 1, instance: 'app-1' })).toBe(204);
      expect(stranger.cookies.size).toBe(stranger === visitor ? 1 : 0);
    }
    const counts = (await ticks(observer, 3)).map(({ audience }) => audience.participants);
    expect(counts).toEqual([0, 0, 0]);
  });

  it.each([
    [{}],
    [{ views: 1 }],
    [{ views: -1, instance: 'app-1' }],
    [{ views: 1.5, instance: 'app-1' }],
    [{ views: '1', instance: 'app-1' }],
    [{ views: 1e12, instance: 'app-1' }],
    [{ views: 1, instance: '' }],
    [{ views: 1, instance: 'a b' }],
    [{ views: 1, instance: 'x'.repeat(65) }],
    [[]],
  ])('should refuse the report %j', async (body) => {
    expect(await report(new Visitor(stack.url), body)).toBe(422);
  });

  it('should refuse the report of another site', async () => {
    const body = { views: 1, instance: 'app-1' };
    const headers = { origin: 'http://evil.test' };
    expect(await report(new Visitor(stack.url), body, headers)).toBe(403);
  });

  it('should hold 1000, and not more', async () => {
    const others = range(1, 1000).map((n) => String(n));
    await inRedis(stack.topology.url, async (redis) => {
      await redis.hSet(
        '{dashboard}:audience',
        others.flatMap((id) => [id, '1 1 app-1 ']),
      );
      const later = Date.now() + 60_000;
      await redis.zAdd(
        '{dashboard}:leases',
        others.map((value) => ({ value, score: later })),
      );
    });
    const visitor = new Visitor(stack.url);
    const { session } = await visitor.view();
    await using events = await watch(visitor);
    try {
      expect((await events.next('hello')).participants).toHaveLength(1000);
      expect((await ticks(events, 2)).every(isOf(1000))).toBe(true);
    } finally {
      await inRedis(stack.topology.url, (redis) => redis.del('{dashboard}:audience'));
    }
    await events.next('tick', hasId(session));
  });

  it('should lose those whose dashboard was killed, unless they come back', async () => {
    await using second = await secondDashboard();
    const [stays, goes] = [new Visitor(stack.url), new Visitor(stack.url)];
    const [{ session: staying }, { session: going }] = await Promise.all([
      stays.view(),
      goes.view(),
    ]);
    await using observer = await watch();
    await using one = await watch(stays, second.url);
    await using two = await watch(goes, second.url);
    await observer.next('tick', isOf(2));
    second.child.kill('SIGKILL');
    await Promise.all([one.ended, two.ended]);
    await using again = await watch(stays);
    await observer.next('tick', ({ left }) => left.includes(going), 5000);
    expect((await observer.next('tick')).audience.participants).toBe(1);
    expect((await again.next('hello')).you).toBe(staying);
    expect(observer.ticks.flatMap(({ left }) => left)).not.toContain(staying);
  });
});

describe.skipIf(isSpread)('the event stream while Redis is away', () => {
  const outages: [string, () => unknown, () => unknown][] = [
    ['hangs', () => stack.redis.pause(), () => stack.redis.resume()],
    ['is dead', () => stack.redis.kill(), () => stack.redis.start()],
  ];

  it.each(outages)('should go on if Redis %s, and recover', async (_how, begin, end) => {
    const visitor = new Visitor(stack.url);
    const { session } = await visitor.view();
    await using events = await watch(visitor);
    await events.next('tick', (tick) => allReady(3)(tick) && tick.audience.participants === 1);
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
    expect(after.at(-1)?.audience.participants).toBe(1);
    const { views, instance } = await eventually(() => visitor.view());
    await report(visitor, { views, instance });
    const { moved } = await events.next('tick', (tick) => tick.moved.length > 0);
    expect(moved).toEqual([[session, instance, views, '', expect.any(Number)]]);
  });

  it('should begin and go on if no client watched before', async () => {
    await untilUnwatched();
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

  it('should show only an instance as dead that died before, and add a new page later', async () => {
    const visitor = new Visitor(stack.url);
    const { session } = await visitor.view();
    await using before = await watch();
    await before.next('tick', allReady(3));
    await stack.process('app-2').kill();
    await before.next('tick', (tick) => stateOf(tick, 'app-2') === 'dead');
    stack.redis.pause();
    try {
      await before.next('tick', ({ redis }) => !redis.reachable);
      const seen = await ticks(before, 4);
      expect.soft(seen.map((tick) => deadIn([tick]))).toEqual(seen.map(() => ['app-2']));
      await using opened = await watch(visitor);
      const hello = await opened.next('hello');
      await ticks(opened, 2);
      expect.soft(deadIn([hello, ...opened.ticks])).toEqual(['app-2']);
      stack.redis.resume();
      await opened.ended; // so that the page connects again
      await using again = await watch(visitor);
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

describe('the page', () => {
  const html = { accept: 'text/html,application/xhtml+xml' };

  it.each([
    ['fetched', {}, 200],
    ['prefetched', { 'sec-purpose': 'prefetch' }, 503],
    ['prerendered', { 'sec-purpose': 'prefetch;prerender' }, 503],
  ])('should count no view and start no session when it is %s', async (_how, headers, status) => {
    const visitor = new Visitor(stack.url);
    await visitor.view();
    for (const path of ['/', '/dashboard', '/?from=elsewhere']) {
      const reply = await visitor.send(path, { headers: { ...html, ...headers } });
      expect(reply.status).toBe(status);
      expect(reply.headers['x-instance']).toBe('dashboard');
      if (status !== 200) continue;
      expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(reply.headers.vary).toMatch(/\bAccept\b/);
    }
    expect((await visitor.view()).views).toBe(2);
    const stranger = await send(`${stack.url}/`, { headers: { ...html, ...headers } });
    expect(stranger.headers['set-cookie']).toBeUndefined();
  });

  it('should be for browsers; other clients get the app', async () => {
    for (const accept of ['application/json', 'text/plain', '*/*', '']) {
      const reply = await send(`${stack.url}/`, { headers: { accept } });
      expect(reply.headers['x-instance'], accept).toMatch(/^app-/);
    }
  });

  it('should load nothing from other hosts', async () => {
    const { body } = await send(`${stack.url}/`, { headers: html });
    const addresses = [...body.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url = '']) => url);
    expect(addresses.length).toBeGreaterThan(4);
    expect(addresses.filter((url) => !/^\/(?!\/)/.test(url))).toEqual([]);
  });
});

describe('the files of the page', () => {
  async function addresses(): Promise<string[]> {
    const { body } = await send(`${stack.url}/`, { headers: { accept: 'text/html' } });
    return [...new Set(body.match(/\/dashboard\/assets\/\w+\/[\w.-]+/g))];
  }

  it('should be kept for a year by a browser', async () => {
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

  it('should be the files on disk', async () => {
    const [, version] = /\/dashboard\/assets\/(\w+)\//.exec((await addresses())[0] ?? '') ?? [];
    const { body } = await send(`${stack.url}/dashboard/assets/${version}/uPlot.min.css`);
    expect(body).toBe(readFileSync(join(ROOT, 'node_modules/uplot/dist/uPlot.min.css'), 'utf8'));
  });

  it('should be sent for another version too, not to be kept', async () => {
    const reply = await send(`${stack.url}/dashboard/assets/0123456789ab/uPlot.min.css`);
    expect(reply.status).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
  });

  it.each(['nothing.js', 'package.json', '..%2fpage.ts', '%2e%2e%2fmonitor.ts', 'constructor', ''])(
    'should not be %j',
    async (file) => {
      const reply = await send(`${stack.url}/dashboard/assets/0123456789ab/${file}`);
      expect(reply.status).toBe(404);
    },
  );
});

describe('the QR code', () => {
  const svgOf = async (url: string, host = new URL(url).host) => {
    const reply = await send(`${url}/dashboard/qr.svg`, { headers: { host } });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toMatch(/^image\/svg\+xml/);
    expect(reply.body).toMatch(/^(<\?xml[^>]*>\s*)?<svg [^>]*viewBox="[^"]+"(.|\n)*<\/svg>\s*$/);
    return reply.body;
  };

  it('should be an SVG of the address of the request', async () => {
    expect(await svgOf(stack.url, 'first.test')).not.toBe(await svgOf(stack.url, 'other.test'));
  });

  it('should refuse a host that is too long', async () => {
    const headers = { host: 'a'.repeat(3000) };
    expect((await send(`${stack.url}/dashboard/qr.svg`, { headers })).status).toBe(400);
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

  it('should lead to PUBLIC_URL, under any address', async () => {
    const svgOf = async (host: string) =>
      (await send(`${other.url}/dashboard/qr.svg`, { headers: { host } })).body;
    expect(await svgOf('first.test')).toBe(await svgOf('other.test'));
  });

  it('should show no fault injection if it is off', async () => {
    expect((await overview(other.url)).faults).toMatchObject({ enabled: false, needsKey: false });
  });
});
