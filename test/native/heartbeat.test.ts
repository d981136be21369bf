import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { type Running, runInstance } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { RedisAlone } from '../support/redis-alone.ts';

describe('the heartbeat of an instance', () => {
  let alone: RedisAlone;
  let instance: Running | undefined;
  beforeAll(async () => {
    alone = await RedisAlone.start();
  });
  afterAll(() => alone?.[Symbol.asyncDispose]());
  afterEach(async () => {
    await instance?.[Symbol.asyncDispose]();
    await inRedis(alone.url, (redis) => redis.flushAll());
  });

  async function start(env: NodeJS.ProcessEnv = {}): Promise<{ child: Running; address: string }> {
    const port = await freePort('127.0.0.1');
    const child = runInstance({ REDIS_URL: alone.url, PORT: String(port), ...env });
    instance = child;
    const address = `127.0.0.1:${port}`;
    await eventually(
      async () => expect((await send(`http://${address}/readyz`)).status).toBe(200),
      30_000,
    );
    return { child, address };
  }
  const record = async () =>
    JSON.parse(
      (await inRedis(alone.url, (redis) => redis.get('{dashboard}:heartbeat:app-1'))) ?? 'null',
    );
  const untilState = (state: string) =>
    eventually(async () => expect(await record()).toMatchObject({ state }));

  it('should contain name, address and state until the instance ends', async () => {
    const { child, address } = await start({
      ORIGIN_DELAY_MS: '2000',
      REQUEST_TIMEOUT_MS: '10000',
    });
    await eventually(async () => expect(['joining', 'ready']).toContain((await record())?.state));
    expect(await record()).toMatchObject({ name: 'app-1', address, owner: expect.any(String) });
    await untilState('ready');
    expect(await inRedis(alone.url, (redis) => redis.sMembers('{dashboard}:instances'))).toEqual([
      'app-1',
    ]);
    expect(
      await inRedis(alone.url, (redis) => redis.pTTL('{dashboard}:heartbeat:app-1')),
    ).toBeGreaterThan(0);

    const slow = send(`http://${address}/data`); // keeps the instance from ending at once
    await eventually(async () => {
      expect((await send(`http://${address}/metrics`)).body).toMatch(/origin_calls_total\S* 1/);
    });
    child.child.kill('SIGTERM');
    await untilState('draining');
    expect((await slow).status).toBe(200);
    expect(await child.ended).toMatchObject({ code: 0 });
    expect(await record()).toBeNull();
  });

  it('should continue although other programs write to its keys', async () => {
    await inRedis(alone.url, async (redis) => {
      await redis.set('{dashboard}:instances', 'not a set');
      await redis.rPush('{dashboard}:fault:app-1', 'not a string');
      await redis.rPush('{dashboard}:origin-fault', 'not a string');
      await redis.set('{dashboard}:heartbeat:app-1', 'not JSON');
    });
    await start({ FAULT_INJECTION: 'on' });
    await untilState('ready');
    expect(await inRedis(alone.url, (redis) => redis.sMembers('{dashboard}:instances'))).toEqual([
      'app-1',
    ]);
    for (const origin of ['not JSON', '{}', '{"delayMs":"1","failurePercent":0}', 'null']) {
      await inRedis(alone.url, (redis) => redis.set('{dashboard}:origin-fault', origin));
      await inRedis(alone.url, (redis) => redis.del('{dashboard}:heartbeat:app-1'));
      await untilState('ready');
    }
  });

  it('should replace a record without a TTL, which no instance has written', async () => {
    const owned = JSON.stringify({ owner: 'another' });
    await inRedis(alone.url, (redis) => redis.set('{dashboard}:heartbeat:app-1', owned));
    await start();
    await untilState('ready');
    expect(
      await inRedis(alone.url, (redis) => redis.pTTL('{dashboard}:heartbeat:app-1')),
    ).toBeGreaterThan(0);
  });

  it('should apply faults only with FAULT_INJECTION=on', async () => {
    const { child, address } = await start();
    await untilState('ready');
    await inRedis(alone.url, (redis) => redis.set('{dashboard}:fault:app-1', 'kill'));
    await eventually(async () => {
      expect(await inRedis(alone.url, (redis) => redis.exists('{dashboard}:fault:app-1'))).toBe(0);
    });
    expect((await send(`http://${address}/livez`)).status).toBe(200);
    child.child.kill('SIGTERM');
    await child.ended;

    const other = await start({ FAULT_INJECTION: 'on' });
    await untilState('ready');
    await inRedis(alone.url, (redis) => redis.set('{dashboard}:fault:app-1', 'kill'));
    expect(await other.child.ended).toMatchObject({ signal: 'SIGKILL' });
  });
});
