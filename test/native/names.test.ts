import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { type Running, runInstance } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { range } from '../support/proofs.ts';
import { RedisAlone } from '../support/redis-alone.ts';

/** Reuses the compile cache, as a stack does. */
const COMPILED = { NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/compiled') };

/** An instance outside a stack, which claims its own name. */
interface Bare {
  running: Running;
  url: string;
}

describe('the name of an instance', () => {
  let alone: RedisAlone;
  let started: Bare[] = [];
  beforeAll(async () => {
    alone = await RedisAlone.start();
  });
  afterAll(() => alone?.[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const { running } of started) await running[Symbol.asyncDispose]();
    started = [];
    if (!alone.process.isRunning) await alone.process.start();
    await inRedis(alone.url, (redis) => redis.flushAll());
  });

  async function launch(env: NodeJS.ProcessEnv = {}): Promise<Bare> {
    const port = await freePort('127.0.0.1');
    const set = { REDIS_URL: alone.url, PORT: String(port), LOG_LEVEL: 'info', ...COMPILED };
    const running = runInstance({ INSTANCE: undefined, ...set, ...env });
    const bare = { running, url: `http://127.0.0.1:${port}` };
    started.push(bare);
    return bare;
  }

  async function start(env: NodeJS.ProcessEnv = {}): Promise<Bare> {
    const bare = await launch(env);
    await untilReady(bare);
    return bare;
  }

  const untilReady = ({ url }: Bare) =>
    eventually(async () => expect((await send(`${url}/readyz`)).status).toBe(200), 20_000);

  /** The names in an instance's replies: a single name if all agree. */
  async function namesOf({ url }: Bare): Promise<string[]> {
    const view = await send(url, { headers: { accept: 'application/json' } });
    const data = await send(`${url}/data`);
    const metrics = await send(`${url}/metrics`);
    const labels = metrics.body.match(/(?<=service_instance_id=")[^"]*/g) ?? [];
    const headers = [view, data, metrics].map((reply) => String(reply.headers['x-instance']));
    return [...new Set([JSON.parse(view.body).instance, ...headers, ...labels])];
  }

  async function end({ running }: Bare, signal: NodeJS.Signals): Promise<void> {
    running.child.kill(signal);
    await running.ended;
  }

  it('should be the lowest free one, even if several instances start at the same time', async () => {
    const bare = await Promise.all(range(1, 3).map(() => start()));
    const names = await Promise.all(bare.map(namesOf));
    expect(names.flat().sort()).toEqual(['app-1', 'app-2', 'app-3']);
    const holders = await inRedis(alone.url, (redis) => redis.keys('{dashboard}:heartbeat:*'));
    expect(holders.sort()).toEqual([
      '{dashboard}:heartbeat:app-1',
      '{dashboard}:heartbeat:app-2',
      '{dashboard}:heartbeat:app-3',
    ]);

    // a clean end frees the name at once
    const second = bare.find((_, i) => names[i]?.[0] === 'app-2') as Bare;
    await end(second, 'SIGTERM');
    expect(await inRedis(alone.url, (redis) => redis.exists('{dashboard}:heartbeat:app-2'))).toBe(
      0,
    );
    expect(await namesOf(await start())).toEqual(['app-2']);

    // a crash frees it within seconds
    const first = bare.find((_, i) => names[i]?.[0] === 'app-1') as Bare;
    await end(first, 'SIGKILL');
    const from = performance.now();
    await eventually(async () => {
      expect(await inRedis(alone.url, (redis) => redis.exists('{dashboard}:heartbeat:app-1'))).toBe(
        0,
      );
    }, 3000);
    expect(performance.now() - from).toBeLessThan(3000);
    expect(await namesOf(await start())).toEqual(['app-1']);
  });

  it('should change after a pause in which another instance took it', async () => {
    const paused = await start();
    expect(await namesOf(paused)).toEqual(['app-1']);
    await send(`${paused.url}/data`); // prepared replies must show the new name too
    paused.running.child.kill('SIGSTOP');
    await delay(3000);
    const taker = await start();
    expect(await namesOf(taker)).toEqual(['app-1']);
    paused.running.child.kill('SIGCONT');
    await eventually(async () => expect(await namesOf(paused)).toEqual(['app-2']), 3000);
    expect(await namesOf(taker)).toEqual(['app-1']);
    expect((await send(`${paused.url}/readyz`)).status).toBe(200);

    const { data, madeBy } = await reloadedData(paused.url);
    expect({ data, madeBy }).toEqual({ data: 'This is the new data', madeBy: 'app-2' });
    await end(paused, 'SIGTERM');
    const last = paused.running.stdout.trim().split('\n').at(-1) ?? '';
    expect(JSON.parse(last)).toMatchObject({ instance: 'app-2', msg: 'ended' });
    const holders = await inRedis(alone.url, (redis) => redis.keys('{dashboard}:heartbeat:*'));
    expect(holders.sort()).toEqual(['{dashboard}:heartbeat:app-1']);
  });

  it('should be kept after a pause in which no other instance took it', async () => {
    const paused = await start();
    paused.running.child.kill('SIGSTOP');
    await eventually(async () => {
      expect(await inRedis(alone.url, (redis) => redis.exists('{dashboard}:heartbeat:app-1'))).toBe(
        0,
      );
    });
    paused.running.child.kill('SIGCONT');
    await eventually(async () => {
      expect(await inRedis(alone.url, (redis) => redis.exists('{dashboard}:heartbeat:app-1'))).toBe(
        1,
      );
    });
    expect(await namesOf(paused)).toEqual(['app-1']);
    expect(await namesOf(await start())).toEqual(['app-2']);
  });

  it('should be INSTANCE if that is set, even if another instance has that name', async () => {
    const [one, two, blue] = await Promise.all([
      start(),
      start({ INSTANCE: '' }),
      start({ INSTANCE: 'blue.1' }),
    ]);
    expect(await namesOf(blue)).toEqual(['blue.1']);
    const claimed = async () => (await Promise.all([one, two].map(namesOf))).flat().sort();
    expect(await claimed()).toEqual(['app-1', 'app-2']);
    const given = await start({ INSTANCE: 'app-1' });
    await eventually(async () => expect(await claimed()).toEqual(['app-2', 'app-3']), 3000);
    expect(await namesOf(given)).toEqual(['app-1']);
  });

  it('should be claimed before the instance is ready if Redis was down at the start', async () => {
    await alone.process.stop();
    const bare = await launch();
    await eventually(
      async () => expect((await send(`${bare.url}/livez`)).status).toBe(200),
      20_000,
    );
    expect((await send(`${bare.url}/readyz`)).status).toBe(503);
    await alone.process.start();
    await untilReady(bare);
    expect(await namesOf(bare)).toEqual(['app-1']);
  });

  it('should be kept across an outage of Redis', async () => {
    const bare = await Promise.all([start(), start()]);
    const names = (await Promise.all(bare.map(namesOf))).flat();
    await alone.process.kill();
    await delay(2500); // longer than the lease of a name
    await alone.process.start();
    for (const one of bare) await untilReady(one);
    await eventually(async () => {
      const holders = await inRedis(alone.url, (redis) => redis.keys('{dashboard}:heartbeat:*'));
      expect(holders.sort()).toEqual([
        '{dashboard}:heartbeat:app-1',
        '{dashboard}:heartbeat:app-2',
      ]);
    });
    expect((await Promise.all(bare.map(namesOf))).flat()).toEqual(names);
  });

  async function reloadedData(url: string): Promise<{ data: string; madeBy: string }> {
    await send(`${url}/data`, { method: 'DELETE' });
    const { body } = await send(`${url}/data`, { headers: { accept: 'application/json' } });
    return JSON.parse(body);
  }
});
