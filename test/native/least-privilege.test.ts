import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { LiveClient } from '../../tools/lib/live-client.ts';
import { infoNumber, inRedis } from '../../tools/lib/redis-client.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Running, runInstance } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { runDashboard } from '../support/dashboard.ts';
import { Events } from '../support/events.ts';
import { RedisAlone } from '../support/redis-alone.ts';
import { Shopper } from '../support/shop.ts';

/** The rules of the user in docs/reference.md. */
const [, RULES = ''] =
  /ACL SETUSER shared-state on '>PASSWORD' (.+)/.exec(
    readFileSync(join(ROOT, 'docs/reference.md'), 'utf8'),
  ) ?? [];
const COMMANDS = [...RULES.matchAll(/ \+(\S+)/g)].map(([, command = '']) => command);

describe('a user of Redis with the documented rules', () => {
  let alone: RedisAlone;
  let url: string;
  beforeAll(async () => {
    alone = await RedisAlone.start();
    url = alone.url.replace(/\/\/.*@/, '//shared-state:secret@');
  });
  afterAll(() => alone?.[Symbol.asyncDispose]());

  /** Gives the user these rules, and forgets what happened before. */
  async function allow(more: string[] = []): Promise<void> {
    await inRedis(alone.url, async (redis) => {
      const rules = [...RULES.split(' '), ...more];
      await redis.sendCommand([
        'ACL',
        'SETUSER',
        'shared-state',
        'reset',
        'on',
        '>secret',
        ...rules,
      ]);
      await redis.sendCommand(['ACL', 'LOG', 'RESET']);
      await redis.sendCommand(['CONFIG', 'RESETSTAT']);
    });
  }

  async function start(): Promise<{ instance: Running; base: string }> {
    const port = await freePort();
    const env = { REDIS_URL: url, PORT: String(port), FAULT_INJECTION: 'on', LOGIN_LIMIT: '100' };
    const instance = runInstance({ ...env, HOST: '127.0.0.1', LOG_LEVEL: 'warn' });
    const base = `http://127.0.0.1:${port}`;
    await eventually(async () => expect((await send(`${base}/readyz`)).status).toBe(200), 20_000);
    return { instance, base };
  }

  /** Uses the routes of the app that read or change something. Returns the statuses. */
  async function useAll(base: string): Promise<number[]> {
    const ada = new Shopper(base);
    await ada.viewInTurn(2);
    const statuses = [
      await ada.logIn('Ada'),
      await ada.add('tea'),
      await ada.send('/me'),
      await ada.send('/cart'),
    ];
    statuses.push(await ada.send('/cart/tea', { method: 'DELETE' }));
    for (const method of ['GET', 'GET', 'DELETE', 'GET']) {
      statuses.push(await send(`${base}/data`, { method }));
    }
    const client = await LiveClient.open(`${base}/live`, { cookie: ada.cookie });
    client.socket.send('hello');
    await eventually(() => expect(client.messages).toHaveLength(1));
    client.socket.terminate();
    const other = new Shopper(base);
    await other.logIn('Ada');
    statuses.push(await other.send('/sessions', { method: 'DELETE' }));
    await ada.logIn('Ada');
    await ada.logOut();
    return statuses.map(({ status }) => status);
  }

  it('should be all that both applications need, and nothing more', async () => {
    await allow();
    const { instance, base } = await start();
    await using _ = instance;
    expect(await useAll(base)).toEqual([200, 200, 200, 200, 204, 200, 200, 204, 200, 204]);

    await using dashboard = await runDashboard({ REDIS_URL: url, FAULT_INJECTION: 'on' });
    const watch = (cookie = '') => Events.open(`${dashboard.url}/dashboard/events`, { cookie });
    const cookies = new Map<string, string>();
    const ada = new Shopper(dashboard.url, cookies);
    for (const key of ['the-first-key', 'a-later-key']) {
      await new Shopper(base, cookies).send('/', { headers: { 'idempotency-key': key } });
      await inRedis(alone.url, async (redis) => {
        for (const applied of await redis.keys('applied:*')) await redis.expire(applied, 100);
      });
    }
    await using observer = await watch();
    {
      await using page = await watch(ada.cookie);
      await page.next('tick', ({ audience }) => audience.participants === 1);
      expect((await ada.post('/dashboard/nickname', { nickname: 'Countess' })).status).toBe(200);
      const view = await ada.post('/dashboard/participants', { instance: 'x', views: 1 });
      expect(view.status).toBe(204);
    }
    await observer.next('tick', ({ audience }) => audience.participants === 0);
    const origin = `${dashboard.url}/dashboard/faults/origin`;
    expect((await send(origin, { method: 'DELETE' })).status).toBe(202);
    await inRedis(alone.url, async (redis) => {
      const used = await infoNumber(redis, 'used_memory');
      await redis.configSet('maxmemory', String(Math.round(used / 0.95)));
      expect((await send(base)).status).toBe(503);
      await redis.configSet('maxmemory', '0');
    });
    const kill = await ada.post('/dashboard/faults/kill', {});
    expect(kill.status).toBe(202);
    await instance.ended;
    await observer.next('tick', ({ instances: [one] }) => one?.state === 'dead');
    const pause = await ada.post('/dashboard/faults/redis', { seconds: 1 });
    expect(pause.status).toBe(202);
    await eventually(async () => {
      const names = await inRedis(alone.url, (redis) => redis.sMembers('{dashboard}:instances'));
      expect(names).toEqual([]); // its heartbeat has expired
    });

    const stats = await inRedis(alone.url, async (redis) => {
      expect(await redis.sendCommand(['ACL', 'LOG'])).toEqual([]); // nothing was denied
      return redis.info('commandstats');
    });
    expect(COMMANDS.filter((command) => !stats.includes(`cmdstat_${command}:`))).toEqual([]);
  });

  it.each([
    ['INFO', '-info', /INFO|'info'/],
    ['CLIENT TRACKING', '-client|tracking', /client\|tracking/],
    ['PSUBSCRIBE', '-psubscribe', /psubscribe/],
  ])('should serve all routes without %s, and name it in the log', async (_name, rule, named) => {
    await allow([rule]);
    const { instance, base } = await start();
    await using _ = instance;
    expect(await useAll(base)).toEqual([200, 200, 200, 200, 204, 200, 200, 204, 200, 204]);
    // The cache is on: the second request finds what the first one has stored.
    await send(`${base}/data/x`);
    expect((await send(`${base}/data/x`)).headers['x-cache']).toBe('HIT');
    expect(instance.stdout).toMatch(named);
  });
});

describe.each(['sentinel', 'cluster'] as const)('the same user with --redis %s', (kind) => {
  const reference = readFileSync(join(ROOT, 'docs/reference.md'), 'utf8');
  const [, SENTINEL_RULES = ''] =
    /ACL SETUSER shared-state on '>PASSWORD' (.*\+sentinel.*)/.exec(reference) ?? [];
  const [, MORE = '', CLUSTER = ''] =
    /it also needs `(\+wait)`, and in a Cluster `(\S+)`/.exec(reference) ?? [];

  /** Starts Redis with this user, and an instance that uses it. */
  async function startBoth(rulesOf: (rules: string) => string) {
    const resources = new AsyncDisposableStack();
    const alone = resources.use(await RedisAlone.start(kind));
    const { processes } = alone.topology;
    for (const one of processes) {
      const isSentinel = one.name.startsWith('sentinel');
      const more = kind === 'cluster' ? `${MORE} ${CLUSTER}` : MORE;
      const rules = isSentinel ? SENTINEL_RULES : `${RULES} ${more}`;
      await one.ask(`ACL SETUSER shared-state on >secret ${rulesOf(rules)}`);
    }
    const url = alone.url.replace(/\/\/.*@/, '//shared-state:secret@');
    const PORT = String(await freePort());
    const env = { REDIS_URL: url, REDIS_WAIT_REPLICAS: '1', PORT, LOG_LEVEL: 'warn' };
    const instance = resources.use(runInstance(env));
    return { resources, processes, instance, base: `http://127.0.0.1:${PORT}` };
  }

  it('should be served with the documented commands alone', async () => {
    const { resources, processes, instance, base } = await startBoth((rules) => rules);
    await using _ = resources;
    await eventually(async () => {
      expect((await new Shopper(base).view()).views).toBe(1);
    }, 20_000);
    for (const one of processes) expect(await one.ask('ACL LOG')).toBe('*0\r\n');
    expect(instance.stdout).not.toContain('NOPERM');
  });

  it('should name a command that is denied in the log', async () => {
    const command = kind === 'cluster' ? 'cluster|nodes' : 'sentinel|get-master-addr-by-name';
    const { resources, instance, base } = await startBoth((rules) =>
      rules.replace(` +${command}`, ''),
    );
    await using _ = resources;
    await eventually(async () => {
      expect(instance.stdout).toContain(`'${command}'`);
      expect((await send(`${base}/readyz`)).status).toBe(503);
    }, 20_000);
  });
});
