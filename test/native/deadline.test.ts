import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DelayedRedis } from '../../tools/lib/delayed-redis.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { keysOf } from '../../tools/lib/redis-client.ts';
import { runInstance } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';

describe('the deadline of a request', () => {
  let stack: Stack;
  beforeAll(async () => {
    const env = { ...process.env, ORIGIN_DELAY_MS: '1000', REQUEST_TIMEOUT_MS: '700' };
    stack = await Stack.start({ scale: 2, env });
  });
  afterAll(() => stack?.close());

  it('should end a slow route with 503, and leave its instance running', async () => {
    const replies = await Promise.all(range(1, 4).map(() => send(`${stack.url}/data`)));
    for (const { status, headers, ms, body } of replies) {
      expect(status).toBe(503);
      expect(headers['retry-after']).toBe('1');
      expect(headers['x-instance']).toMatch(/^app-/); // the instance answers, not nginx
      expect(JSON.parse(body)).toMatchObject({ title: 'Service Unavailable', status: 503 });
      expect(ms).toBeLessThan(2000);
    }
    const instances = await Promise.all(range(1, 4).map(() => send(`${stack.url}/`)));
    expect(new Set(instances.map(({ headers }) => headers['x-instance'])).size).toBe(2);
    expect(instances.map(({ body }) => body)).toEqual(instances.map(() => 'Views: 1'));
  });

  it('should not cache a result for which no client waits any more', async () => {
    expect((await send(`${stack.url}/data/item-1`)).status).toBe(503);
    await send(`${stack.url}/data/item-2`); // takes longer than the rest of the first load
    expect(await keysOf(stack.topology.url)).not.toContain('cache:{data:item-1}');
  });

  it('should answer while the handler goes on, and spare the next request on the connection', async () => {
    await using redis = await DelayedRedis.beside(stack.redis);
    const port = String(await freePort('127.0.0.1'));
    const env = { PORT: port, REDIS_URL: redis.url, REQUEST_TIMEOUT_MS: '1000' };
    await using instance = runInstance(env);
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => expect((await send(`${url}/readyz`)).status).toBe(200), 15_000);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    redis.delayMs = 650; // a new visitor needs two replies, and ignores `deadline.signal`
    for (const _ of range(1, 3)) {
      const { status, ms } = await send(`${url}/`, { agent });
      expect(status).toBe(503);
      expect(ms).toBeLessThan(1250); // before the handler ends
    }
    redis.delayMs = 0;
    // Redis answers in order, so by now all handlers have ended.
    await eventually(async () => expect((await send(`${url}/`, { agent })).status).toBe(200));
    agent.destroy();
    expect(instance.stdout + instance.stderr).not.toMatch(/^ +at /m);
    expect(instance.stdout).not.toContain('"level":"error"');
  });

  it('should cancel a request if its client disconnects', async () => {
    await using patient = await Stack.start({
      scale: 1,
      env: { ...process.env, ORIGIN_DELAY_MS: '600' },
    });
    const url = `http://127.0.0.1:${patient.instances[0]?.port}`;
    const client = request(`${url}/data`).on('error', () => {});
    client.end();
    await once(client, 'socket');
    await send(`${url}/livez`); // by now the instance has the request
    client.destroy();
    await delay(900); // longer than the origin takes: if not canceled, the next request would hit
    expect((await send(`${url}/data`)).headers['x-cache']).toBe('MISS');
    expect((await send(`${url}/data`)).headers['x-cache']).toBe('HIT');
    // a disconnect is not an error
    expect(readFileSync(join(patient.folder, 'app-1.log'), 'utf8')).not.toContain(
      '"level":"error"',
    );
  });
});
