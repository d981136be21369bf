import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig as readAppConfig } from '../../services/app/config.ts';
import { readConfig } from '../../services/dashboard/config.ts';
import { ConfigError } from '../../services/shared/process/config.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { runInstance } from '../../tools/lib/running.ts';
import { type Reply, type Sending, send, Visitor } from '../../tools/lib/visitor.ts';
import { startControlServer } from '../../tools/stack/control-server.ts';
import { controlSocket } from '../../tools/stack/folder.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { runDashboard } from '../support/dashboard.ts';
import { Events } from '../support/events.ts';
import { newName, npmRunStack } from '../support/npm.ts';
import { range } from '../support/proofs.ts';

const KEY = 'a-presenter-key';

/** Sends a JSON body. */
function ask(
  base: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const type = body === undefined ? undefined : { 'content-type': 'application/json' };
  const sending: Sending = { method, headers: { ...type, ...headers } };
  if (body !== undefined) sending.body = JSON.stringify(body);
  return send(base + path, sending);
}

/** All faults, by method, path and body. */
const FAULTS: [string, string, unknown][] = [
  ['POST', '/dashboard/faults/kill', {}],
  ['POST', '/dashboard/faults/hang', {}],
  ['PUT', '/dashboard/faults/origin', { delayMs: 0, failurePercent: 100 }],
  ['DELETE', '/dashboard/faults/origin', undefined],
  ['POST', '/dashboard/faults/redis', { seconds: 5 }],
  ['POST', '/dashboard/stack/start', { instance: 'app-2' }],
  ['POST', '/dashboard/stack/replace', { instance: 'app-2' }],
  ['POST', '/dashboard/stack/scale', { instances: 2 }],
  ['PUT', '/dashboard/stack/switches', { SESSION_STORE: 'memory' }],
];

describe('fault injection', () => {
  const name = newName();
  const CONTROL_SOCKET = controlSocket(name);
  let stack: Stack;
  let controlServer: Server;
  beforeAll(async () => {
    const env = { ...process.env, FAULT_INJECTION: 'on', CONTROL_SOCKET };
    stack = await Stack.start({ name, env });
    controlServer = await startControlServer(name, stack);
  });
  afterAll(async () => {
    controlServer?.close();
    await stack?.close();
  });

  const direct = (name: string) => `http://127.0.0.1:${stack.process(name).port}`;
  const keys = range(1, 1000)
    .map((n) => `item-${n}`)
    [Symbol.iterator]();
  /** A lookup of something that was not asked for before. */
  const lookUp = (base: string) => send(`${base}/data/${keys.next().value}`);
  const stateOf = (name: string) => async () => (await stack.process(name).status()).state;
  /** The processes by name. */
  const pids = async () =>
    Object.fromEntries((await stack.ps()).map(({ name, pid }) => [name, pid]));
  /** What a dashboard shows. */
  const shownFaults = async (base = stack.url) =>
    JSON.parse((await send(`${base}/dashboard/instances`)).body).faults;
  /** How the origin behaves on an instance. */
  async function originOf(base: string) {
    const { body } = await send(`${base}/metrics`);
    const gauge = (name: string) =>
      Number(new RegExp(`^${name}(?:\\{.*\\})? (.+)$`, 'm').exec(body)?.[1]);
    return {
      delayMs: Math.round(gauge('origin_delay_seconds') * 1000),
      failurePercent: Math.round(gauge('origin_failure_ratio') * 100),
    };
  }

  describe('kill', () => {
    it('should end the instance named, and lose no view', async () => {
      const visitor = new Visitor(stack.url);
      await visitor.viewInTurn(3);
      const reply = await ask(stack.url, 'POST', '/dashboard/faults/kill', { instance: 'app-2' });
      expect(reply).toMatchObject({ status: 202, body: '{"instance":"app-2"}' });
      const seen = [await visitor.view()];
      await eventually(async () => {
        seen.push(await visitor.view());
        expect(await stateOf('app-2')()).toBe('dead');
      }, 1500);
      seen.push(...(await visitor.viewInTurn(6)));
      expect(seen.map(({ views }) => views)).toEqual(range(4, 3 + seen.length));
      expect(await stateOf('app-1')()).toBe('ready');
      expect(await stateOf('app-3')()).toBe('ready');
      await stack.scale(3);
    });

    it('should end one of the instances if none is named', async () => {
      const reply = await ask(stack.url, 'POST', '/dashboard/faults/kill', {});
      expect(reply.status).toBe(202);
      const { instance } = JSON.parse(reply.body);
      expect(instance).toMatch(/^app-[123]$/);
      await eventually(async () => expect(await stateOf(instance)()).toBe('dead'), 1500);
      const instances = (await stack.ps()).filter(({ name }) => name.startsWith('app'));
      const states = instances.map(({ state }) => state);
      expect(states.sort()).toEqual(['dead', 'ready', 'ready']);
      // A second command must not end the next instance of that name.
      const again = await ask(stack.url, 'POST', '/dashboard/faults/kill', { instance });
      expect([202, 404]).toContain(again.status);
      try {
        await stack.scale(3);
        await delay(700); // two heartbeats
        expect(await stateOf(instance)()).toBe('ready');
      } finally {
        await eventually(() => stack.scale(3));
      }
    });
  });

  it('should make an instance hang for 10 s, and then go on', { timeout: 30_000 }, async () => {
    const { pid } = await stack.process('app-2').status();
    await using events = await Events.open(`${stack.url}/dashboard/events`);
    const shown = (state: string) => () =>
      events.next(
        'tick',
        ({ instances }) => instances.find(({ name }) => name === 'app-2')?.state === state,
        14_000,
      );
    await shown('ready')();
    const visitor = new Visitor(stack.url);
    await visitor.view();
    const reply = await ask(stack.url, 'POST', '/dashboard/faults/hang', { instance: 'app-2' });
    expect(reply).toMatchObject({ status: 202, body: '{"instance":"app-2"}' });
    const from = performance.now();
    await delay(600); // until it does so
    const answer = send(`${direct('app-2')}/livez`).then(() => performance.now() - from);
    const views = visitor.viewInTurn(3);
    await shown('hung')();
    expect(performance.now() - from).toBeLessThan(4000);
    const seen = await views;
    expect(seen.map(({ views }) => views)).toEqual([2, 3, 4]);
    expect(seen.map(({ instance }) => instance)).not.toContain('app-2');
    const ms = await answer;
    expect(ms).toBeGreaterThan(9800);
    expect(ms).toBeLessThan(12_000);
    await shown('ready')();
    expect((await stack.process('app-2').status()).pid).toBe(pid);
    const after = await Promise.all(range(1, 9).map(() => visitor.view()));
    expect(after.some(({ instance }) => instance === 'app-2')).toBe(true);
    expect(Math.max(...after.map(({ views }) => views))).toBe(13);
  });

  describe('origin', () => {
    const set = (delayMs: number, failurePercent: number) =>
      ask(stack.url, 'PUT', '/dashboard/faults/origin', { delayMs, failurePercent });
    /** Resolves once all instances behave so: they say so, and their lookups do. */
    const untilAll = (isSo: (reply: Reply) => boolean) =>
      eventually(async () => {
        const all = await Promise.all(stack.instances.map(({ name }) => lookUp(direct(name))));
        expect(all.every(isSo)).toBe(true);
      }, 3000);

    it('should fail and be slow on all instances, also on one started later, until it is reset', async () => {
      const reply = await set(50, 100);
      expect(reply.status).toBe(202);
      expect(JSON.parse(reply.body)).toEqual({ delayMs: 50, failurePercent: 100 });
      await untilAll(({ status }) => status >= 500);
      await stack.scale(4);
      expect((await lookUp(direct('app-4'))).status).toBeGreaterThanOrEqual(500);
      expect(await originOf(direct('app-4'))).toEqual({ delayMs: 50, failurePercent: 100 });
      await eventually(async () => {
        expect(await shownFaults()).toEqual({
          enabled: true,
          needsKey: false,
          origin: { delayMs: 50, failurePercent: 100 },
          control: { busy: false, failure: null },
          isLocal: true,
        });
      });

      expect((await set(900, 0)).status).toBe(202);
      await untilAll(({ status, ms }) => status === 200 && ms >= 895);
      expect((await ask(stack.url, 'DELETE', '/dashboard/faults/origin')).status).toBe(202);
      await untilAll(({ status, ms }) => status === 200 && ms >= 195 && ms < 600);
      await stack.scale(3);
    });

    it('should fail as often as requested', async () => {
      await set(0, 50);
      await delay(700); // two heartbeats
      const replies = await Promise.all(range(1, 60).map(() => lookUp(stack.url)));
      const failed = replies.filter(({ status }) => status >= 500).length;
      const found = replies.filter(({ status }) => status === 200).length;
      expect(failed + found).toBe(60);
      // Outside of this less often than once in a million times.
      expect(failed).toBeGreaterThan(10);
      expect(failed).toBeLessThan(50);
      await ask(stack.url, 'DELETE', '/dashboard/faults/origin');
      await untilAll(({ status }) => status === 200);
    });
  });

  it('should make Redis answer nothing for as long as requested', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.viewInTurn(3);
    const reply = await ask(stack.url, 'POST', '/dashboard/faults/redis', { seconds: 2 });
    expect(reply).toMatchObject({ status: 202, body: '{"seconds":2}' });
    const from = performance.now();
    const during = await visitor.send();
    expect(during.status).toBe(503);
    expect(during.ms).toBeLessThan(2000);
    const { views } = await eventually(() => visitor.view(), 5000);
    expect(performance.now() - from).toBeGreaterThan(1900);
    expect(performance.now() - from).toBeLessThan(5000);
    expect(views).toBeGreaterThanOrEqual(4);
    const after = await visitor.viewInTurn(6);
    expect(after.map((seen) => seen.views)).toEqual(range(views + 1, views + 6));
    for (const { name } of stack.instances) expect(await stateOf(name)()).toBe('ready');
  });

  describe('what is refused', () => {
    let before: Record<string, number | null>;
    beforeAll(async () => {
      before = await pids();
    });

    /** Nothing has happened: the same processes, Redis answers, the origin is as it was. */
    async function expectPeace(): Promise<void> {
      await delay(700); // two heartbeats
      expect(await pids()).toEqual(before);
      const found = await lookUp(stack.url);
      expect(found.status).toBe(200);
      expect(found.ms).toBeGreaterThan(195);
      for (const { name } of stack.instances) {
        expect(await originOf(direct(name))).toEqual({ delayMs: 200, failurePercent: 0 });
      }
      const { redis } = JSON.parse((await send(`${stack.url}/dashboard/instances`)).body);
      expect(redis.reachable).toBe(true);
    }

    it.each([
      ['from another site', { 'sec-fetch-site': 'cross-site' }],
      ['from a page of another origin', { origin: 'http://evil.test' }],
      ['from another port of this machine', { origin: 'http://localhost:1' }],
      ['from nowhere', { origin: 'null' }],
      ['by another name of this machine', { host: 'evil.test' }],
      ['by a name like that of this machine', { host: 'localhost.evil.test' }],
      ['by a name like an address', { host: '127.0.0.1.evil.test' }],
      ['by an address of the network', { host: '192.168.1.5:8080' }],
    ])('should be what comes %s', async (_what, headers) => {
      for (const [method, path, body] of FAULTS) {
        const reply = await ask(stack.url, method, path, body, headers);
        expect(reply.status).toBe(403);
        expect(reply.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      }
    });

    it.each([
      ['kill', { instance: 5 }],
      ['kill', { instance: '' }],
      ['hang', { instance: null }],
      ['hang', []],
      ['redis', {}],
      ['redis', { seconds: 0 }],
      ['redis', { seconds: 31 }],
      ['redis', { seconds: 1.5 }],
      ['redis', { seconds: '5' }],
      ['origin', {}],
      ['origin', { delayMs: 100 }],
      ['origin', { failurePercent: 100 }],
      ['origin', { delayMs: -1, failurePercent: 100 }],
      ['origin', { delayMs: 8001, failurePercent: 100 }],
      ['origin', { delayMs: 0, failurePercent: 101 }],
      ['origin', { delayMs: 0, failurePercent: 0.5 }],
      ['start', {}],
      ['start', { instance: 'redis' }],
      ['replace', { instance: 'nginx' }],
      ['replace', { instance: 'app-2', instances: 1 }],
      ['scale', { instances: 0 }],
      ['scale', { instances: 13 }],
      ['scale', { instances: '2' }],
      ['switches', {}],
      ['switches', { SESSION_STORE: 'files' }],
      ['switches', { SESSION_STORE: '' }],
      ['switches', { SESSION_STORE: 'memory', NODE_OPTIONS: '--inspect' }],
      ['switches', { LOG_LEVEL: 'warn' }],
    ])('should be %s with %j', async (last, body) => {
      const [method = '', path = ''] = FAULTS.find(([, path]) => path.endsWith(last)) ?? [];
      expect((await ask(stack.url, method, path, body)).status).toBe(422);
    });

    it('should be a body that is not JSON', async () => {
      for (const [method, path] of FAULTS.filter(([, , body]) => body)) {
        const headers = { 'content-type': 'text/plain' };
        const reply = await send(stack.url + path, { method, headers, body: '{}' });
        expect(reply.status).toBe(415);
        expect((await send(stack.url + path, { method })).status).toBe(415);
      }
    });

    it('should be an instance that does not exist', async () => {
      for (const path of ['/dashboard/faults/kill', '/dashboard/faults/hang']) {
        const reply = await ask(stack.url, 'POST', path, { instance: 'app-9' });
        expect(reply.status).toBe(404);
      }
    });

    it('should be GET', async () => {
      for (const [, path] of FAULTS) {
        expect((await send(stack.url + path)).status).toBeGreaterThanOrEqual(404);
      }
    });

    it('should have done nothing', async () => {
      const dead = (await stack.ps()).filter(({ state }) => state !== 'ready');
      expect(dead).toEqual([]);
      await expectPeace();
    });

    it.each(['off', undefined])(
      'should be everything with FAULT_INJECTION=%s',
      async (FAULT_INJECTION) => {
        const settings = { FAULT_INJECTION, REDIS_URL: stack.topology.url, CONTROL_SOCKET };
        await using dashboard = await runDashboard(settings);
        for (const [method, path, body] of FAULTS) {
          expect((await ask(dashboard.url, method, path, body)).status).toBe(404);
        }
        expect(await shownFaults(dashboard.url)).toMatchObject({ enabled: false, control: null });

        // An instance with this setting applies nothing, not even what the others must.
        const port = await freePort('127.0.0.1');
        await using apart = runInstance({ INSTANCE: 'apart', PORT: String(port), ...settings });
        const base = `http://127.0.0.1:${port}`;
        await eventually(async () => expect((await send(`${base}/readyz`)).status).toBe(200));
        await ask(stack.url, 'PUT', '/dashboard/faults/origin', {
          delayMs: 0,
          failurePercent: 100,
        });
        const kill = { instance: 'apart' };
        expect((await ask(stack.url, 'POST', '/dashboard/faults/kill', kill)).status).toBe(202);
        await delay(700); // two heartbeats
        expect((await lookUp(base)).status).toBe(200);
        await ask(stack.url, 'DELETE', '/dashboard/faults/origin');
        expect(apart.child.exitCode ?? apart.child.signalCode).toBeNull();
      },
    );

    it('should be everything without the key, if there is one', async () => {
      const settings = { FAULT_INJECTION: 'on', PRESENTER_KEY: KEY, CONTROL_SOCKET };
      await using dashboard = await runDashboard({ ...settings, REDIS_URL: stack.topology.url });
      const base = dashboard.url;
      const wrong = ['', 'Bearer', 'Bearer wrong-key', KEY, `Basic ${KEY}`, `Bearer ${KEY}x`];
      for (const [method, path, body] of FAULTS) {
        const replies = [await ask(base, method, path, body)];
        for (const authorization of wrong) {
          replies.push(await ask(base, method, path, body, { authorization }));
        }
        for (const reply of replies) {
          expect(reply.status).toBe(401);
          expect(reply.headers['www-authenticate']).toMatch(/^Bearer/);
          expect(reply.body).not.toContain(KEY);
        }
      }
      await expectPeace();
      expect(await shownFaults(base)).toMatchObject({ enabled: true, needsKey: true });

      const authorization = `Bearer ${KEY}`;
      const foreign = { authorization, origin: 'http://evil.test' };
      const [, , [method, path, body]] = FAULTS as [unknown, unknown, [string, string, unknown]];
      expect((await ask(base, method, path, body, foreign)).status).toBe(403);
      const host = '192.168.1.5:8080'; // an audience knows it by another name
      expect((await ask(base, method, path, body, { authorization, host })).status).toBe(202);
      await eventually(async () => {
        expect((await lookUp(stack.url)).status).toBeGreaterThanOrEqual(500);
      });
      const reset = await ask(base, 'DELETE', '/dashboard/faults/origin', undefined, {
        authorization,
      });
      expect(reset.status).toBe(202);
    });

    it('should be the commands to a stack that is not local', async () => {
      const settings = { FAULT_INJECTION: 'on', REDIS_URL: stack.topology.url };
      await using dashboard = await runDashboard(settings);
      for (const [method, path, body] of FAULTS.filter(([, path]) => path.includes('/stack/'))) {
        expect((await ask(dashboard.url, method, path, body)).status).toBe(404);
      }
      expect(await shownFaults(dashboard.url)).toMatchObject({ enabled: true, control: null });
      await expectPeace();
    });
  });

  describe('a command to the stack', { timeout: 60_000 }, () => {
    const command = async (method: string, path: string, body: unknown) => {
      const reply = await ask(stack.url, method, `/dashboard/stack/${path}`, body);
      expect(reply).toMatchObject({ status: 202, body: JSON.stringify(body) });
    };
    /** Waits until no command is in progress. Resolves to the reason of a failure. */
    const failure = () =>
      eventually(async () => {
        const { control } = await shownFaults();
        expect(control.busy).toBe(false);
        return control.failure;
      }, 30_000);
    /** The value that each instance has for a switch. */
    const values = async (name: string) => {
      const replies = stack.instances.map(({ name }) => send(`${direct(name)}/metrics`));
      const pattern = new RegExp(`^app_switches_info\\{.*\\b${name}="(\\w+)"`, 'm');
      return (await Promise.all(replies)).map(({ body }) => pattern.exec(body)?.[1]);
    };

    it('should scale, run after the command before it, and start what is dead', async () => {
      await command('POST', 'scale', { instances: 2 });
      expect(await failure()).toBeNull();
      expect(stack.instances.map(({ name }) => name)).toEqual(['app-1', 'app-2']);

      const scaled = npmRunStack('scale', '3', '--name', name);
      await eventually(() => expect(stack.instances).toHaveLength(3));
      const killed = npmRunStack('kill', 'app-3', '--name', name);
      expect(await scaled).toMatchObject({ code: 0, stdout: '3 instances\n' });
      expect(await killed).toMatchObject({ code: 0, stdout: 'app-3 dead\n' });
      expect(await new Visitor(stack.url).viewInTurn(4)).toHaveLength(4);

      await command('POST', 'start', { instance: 'app-3' });
      expect(await failure()).toBeNull();
      expect(await stateOf('app-3')()).toBe('ready');
      const before = await pids();
      await command('POST', 'start', { instance: 'app-3' });
      expect(await failure()).toBe('app-3 is already running.');
      expect(await pids()).toEqual(before);

      await command('POST', 'scale', { instances: 2 });
      expect(await failure()).toBeNull();
    });

    it('should replace an instance while no view fails', async () => {
      const { 'app-2': old, ...others } = await pids();
      const visitor = new Visitor(stack.url);
      await command('POST', 'replace', { instance: 'app-2' });
      const seen = await visitor.viewInTurn(3);
      expect(await failure()).toBeNull();
      seen.push(...(await visitor.viewInTurn(3)));
      expect(seen.map(({ views }) => views)).toEqual(range(1, 6));
      const { 'app-2': replaced, ...same } = await pids();
      expect(same).toEqual(others);
      expect(replaced).not.toBe(old);
      expect(await stateOf('app-2')()).toBe('ready');
    });

    it('should set switches, in the dashboard too if it reads them', async () => {
      const visitor = new Visitor(stack.url);
      await visitor.viewInTurn(3);
      const { cookies } = visitor;
      const { dashboard } = await pids();
      await command('PUT', 'switches', { SESSION_STORE: 'memory' });
      expect(await failure()).toBeNull();
      const viewsAt = async (instance: string, own: Map<string, string>) =>
        (await new Visitor(direct(instance), own).viewInTurn(2)).map(({ views }) => views);
      const own = new Map(cookies);
      expect(await viewsAt('app-1', own)).toEqual([1, 2]);
      expect(await viewsAt('app-2', own)).toEqual([1, 2]);
      expect((await pids()).dashboard).toBe(dashboard);

      await command('PUT', 'switches', { SESSION_STORE: 'redis', IDEMPOTENCY: 'off' });
      await eventually(
        async () => expect(await values('idempotency')).toEqual(['off', 'off']),
        20_000,
      );
      expect(await failure()).toBeNull();
      expect((await pids()).dashboard).not.toBe(dashboard);
      const again = await new Visitor(stack.url, new Map(cookies)).viewInTurn(4);
      expect(again.map(({ views }) => views)).toEqual([4, 5, 6, 7]);
    });

    it('should leave the former settings in force if the app refuses one', async () => {
      const { 'app-1': first, ...others } = await pids();
      const refused = await npmRunStack('set', 'CACHE=off', 'NODE_ENV=production', '--name', name);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toMatch(
        /^app-1 did not start: \w+=\w+: with NODE_ENV=production .*; the former settings are in force again\n$/,
      );
      const { 'app-1': again, ...same } = await pids();
      expect(same).toEqual(others);
      expect(again).not.toBe(first);
      expect(await values('cache')).toEqual(['local', 'local']);
      expect(await values('idempotency')).toEqual(['off', 'off']);

      const words = ['set', 'IDEMPOTENCY=', 'CACHE=redis'];
      const done = await npmRunStack(...words, '--name', name);
      expect(done).toMatchObject({ code: 0, stdout: 'in force: IDEMPOTENCY= CACHE=redis\n' });
      expect(await values('cache')).toEqual(['redis', 'redis']);
      expect(await values('idempotency')).toEqual(['on', 'on']);
    });

    it('should say that the stack does not answer', async () => {
      controlServer.close();
      await command('POST', 'scale', { instances: 1 });
      expect(await failure()).toMatch(/^The stack has not answered: connect ENOENT /);
      expect(stack.instances).toHaveLength(2);
    });
  });
});

describe('the settings of fault injection', () => {
  it.each([
    [{ FAULT_INJECTION: 'on', NODE_ENV: 'production' }, 'NODE_ENV'],
    [{ FAULT_INJECTION: 'on', NODE_ENV: 'production', PRESENTER_KEY: KEY }, 'NODE_ENV'],
    [{ FAULT_INJECTION: 'on', BIND: '0.0.0.0' }, 'PRESENTER_KEY'],
    [{ FAULT_INJECTION: 'on', BIND: '::' }, 'PRESENTER_KEY'],
    [{ FAULT_INJECTION: 'on', BIND: '192.168.1.5', PRESENTER_KEY: '' }, 'PRESENTER_KEY'],
    [{ FAULT_INJECTION: 'on', TRUSTED_PROXIES: '127.0.0.1' }, 'PRESENTER_KEY'],
    [{ FAULT_INJECTION: 'yes' }, 'FAULT_INJECTION'],
    [{ PRESENTER_KEY: 'short' }, 'PRESENTER_KEY'],
    [{ PRESENTER_KEY: 'with a space in it' }, 'PRESENTER_KEY'],
    [{ BIND: 'everywhere' }, 'BIND'],
    [{ PUBLIC_URL: 'javascript:alert(1)' }, 'PUBLIC_URL'],
  ])('should refuse %j', (env, named) => {
    expect(() => readConfig(env)).toThrow(ConfigError);
    expect(() => readConfig(env)).toThrow(named);
  });

  it('should not print a key that is refused', () => {
    try {
      readConfig({ PRESENTER_KEY: 'a secret with spaces' });
    } catch (err) {
      return expect((err as Error).message).not.toContain('a secret with spaces');
    }
    expect.unreachable();
  });

  it.each([
    { FAULT_INJECTION: 'on' },
    { FAULT_INJECTION: 'on', BIND: '127.0.0.1' },
    { FAULT_INJECTION: 'on', BIND: '::1' },
    { FAULT_INJECTION: 'on', BIND: '0.0.0.0', PRESENTER_KEY: KEY },
    { FAULT_INJECTION: 'on', TRUSTED_PROXIES: '127.0.0.1', PRESENTER_KEY: KEY },
    { FAULT_INJECTION: 'off', BIND: '0.0.0.0', NODE_ENV: 'production' },
  ])('should take %j', (env) => {
    expect(readConfig(env)).toMatchObject(env);
  });

  it('should refuse it in an instance too if that runs in production', () => {
    const env = { FAULT_INJECTION: 'on', NODE_ENV: 'production' };
    expect(() => readAppConfig(env)).toThrow(/FAULT_INJECTION.*NODE_ENV/);
  });

  it('should be off by default', () => {
    expect(readConfig({}).FAULT_INJECTION).toBe('off');
    expect(readAppConfig({}).FAULT_INJECTION).toBe('off');
  });
});
