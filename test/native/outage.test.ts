import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis, keysOf } from '../../tools/lib/redis-client.ts';
import { type Reply, send, Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';

describe('an outage of Redis', () => {
  let stack: Stack;
  let visitor: Visitor;
  let pids: (number | null)[];

  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());
  beforeEach(async () => {
    visitor = new Visitor(stack.url);
    await visitor.viewInTurn(3);
    pids = await instancePids();
  });

  const instancePids = async () => (await stack.ps()).slice(2).map(({ pid }) => pid);

  function expectUnavailable(reply: Reply): void {
    expect(reply.status).toBe(503);
    expect(reply.ms).toBeLessThan(2000);
    expect(reply.headers['retry-after']).toBe('1');
    expect(reply.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(JSON.parse(reply.body)).toMatchObject({ title: 'Service Unavailable', status: 503 });
    expect(reply.headers['set-cookie']).toBeUndefined();
  }

  /** Checks routes that need Redis and routes that do not, for a known and a new visitor. */
  async function expectOutage(): Promise<void> {
    const replies = [1, 2, 3].flatMap(() => [
      visitor.send(),
      new Visitor(stack.url).send(),
      send(`${stack.url}/data`, { method: 'DELETE' }),
      send(`${stack.url}/readyz`),
    ]);
    for (const reply of await Promise.all(replies)) expectUnavailable(reply);
    for (const { port } of stack.instances) {
      expect((await send(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
      const data = await send(`http://127.0.0.1:${port}/data`); // the origin still answers
      expect(data).toMatchObject({
        status: 200,
        body: expect.stringMatching(/Data: This is the new data$/),
      });
      expect(data.ms).toBeLessThan(2000);
    }
  }

  /** Checks that the same processes recover soon by themselves, with the visitor's session. */
  async function expectRecovery(least: number, most: number): Promise<void> {
    const { views } = await eventually(() => visitor.view(), 2000);
    expect(views).toBeGreaterThanOrEqual(least);
    expect(views).toBeLessThanOrEqual(most);
    for (const { port } of stack.instances) {
      await eventually(async () => {
        expect((await send(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
      }, 2000);
    }
    expect(await instancePids()).toEqual(pids);
  }

  it('should cause 503 while Redis hangs, and end without a restart', async () => {
    stack.redis.pause();
    await expectOutage();
    await expectOutage(); // not only the first time
    stack.redis.resume();
    // Requests in progress when Redis hung may be counted, but were not answered with success.
    await expectRecovery(4, 4 + 2 * 3);
  });

  it('should cause 503 while Redis is down, and lose no session', async () => {
    await stack.redis.kill();
    await expectOutage();
    await stack.redis.start();
    await expectRecovery(4, 4);
  });

  it('should lose nothing if Redis restarts', async () => {
    await stack.redis.stop();
    await stack.redis.start();
    await expectRecovery(4, 4);
  });

  it.each([
    ['CLIENT PAUSE of everything', ['CLIENT', 'PAUSE', '3000', 'ALL']],
    ['CLIENT PAUSE of writes', ['CLIENT', 'PAUSE', '3000', 'WRITE']],
  ])('should cause 503 in time with %s', async (_name, command) => {
    await inRedis(stack.topology.url, (redis) => redis.sendCommand(command));
    expectUnavailable(await visitor.send());
    await inRedis(stack.topology.url, (redis) => redis.sendCommand(['CLIENT', 'UNPAUSE']));
    await expectRecovery(4, 5);
  });

  it('should cause 503 if Redis rejects writes, and leave no trace', async () => {
    const before = await keysOf(stack.topology.url);
    await inRedis(stack.topology.url, (redis) => redis.configSet('min-replicas-to-write', '1'));
    expectUnavailable(await visitor.send());
    expectUnavailable(await new Visitor(stack.url).send());
    await inRedis(stack.topology.url, (redis) => redis.configSet('min-replicas-to-write', '0'));
    expect(await keysOf(stack.topology.url)).toEqual(before);
    await expectRecovery(4, 4);
  });

  it('should not prevent an instance from starting', async () => {
    await stack.redis.kill();
    const starting = stack.scale(4);
    const instance = await eventually(() => {
      const added = stack.instances[3];
      if (!added?.isRunning) throw new Error('not yet');
      return added;
    });
    const url = `http://127.0.0.1:${instance.port}`;
    // It waits for Redis for five seconds first.
    await eventually(async () => {
      expect((await send(`${url}/livez`)).status).toBe(200);
    }, 20_000);
    expectUnavailable(await send(`${url}/readyz`));
    expectUnavailable(await send(`${url}/`));
    await stack.redis.start();
    await starting;
    expect((await send(`${url}/`)).status).toBe(200);
    await stack.scale(3);
  });
});
