import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Running, runInstance } from '../../tools/lib/running.ts';
import { type Reply, send, Visitor } from '../../tools/lib/visitor.ts';
import { freePorts } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';

/** Requests under way at once: then it is open which instance is next. */
const AT_ONCE = 30;

describe('two instances without a connection to Redis', () => {
  let stack: Stack;
  let withoutRedis: Running[];
  let ports: number[];
  let living: number;

  beforeAll(async () => {
    stack = await Stack.start({ scale: 1 });
    living = stack.instances[0]?.port ?? 0;
    const [closed, ...free] = await freePorts(3);
    ports = free;
    const REDIS_URL = `redis://127.0.0.1:${closed}`;
    withoutRedis = ports.map((port) => runInstance({ REDIS_URL, PORT: String(port) }));
    for (const port of ports) {
      const url = `http://127.0.0.1:${port}/livez`;
      await eventually(async () => expect((await send(url)).status).toBe(200), 20_000);
    }
  });
  afterAll(async () => {
    for (const running of withoutRedis ?? []) await running[Symbol.asyncDispose]();
    await stack?.close();
  });

  async function serve(app: number[]): Promise<void> {
    stack.nginx.write({ app, dashboard: [stack.dashboard.port] });
    await stack.nginx.reload();
  }

  const triedBy = ({ headers }: Reply) =>
    String(headers['x-upstream-addr'])
      .split(/ : |, /)
      .map((address) => Number(address.split(':')[1]));

  describe('beside an instance that has it', () => {
    beforeEach(() => serve([...ports, living]));

    it('should send it every request, and none is counted twice', async () => {
      const visitor = new Visitor(stack.url);
      await visitor.view();
      const views = await Promise.all(range(1, AT_ONCE).map(() => visitor.send()));
      const cart = { item: 'tea', quantity: 1 };
      const changes = await Promise.all(range(1, AT_ONCE).map(() => visitor.post('/cart', cart)));
      for (const { status, body } of [...views, ...changes]) expect(status, body).toBe(200);
      const numbers = views.map(({ body }) => Number(body.replace('Views: ', '')));
      expect(numbers.sort((one, other) => one - other)).toEqual(range(2, AT_ONCE + 1));
      expect((await visitor.view()).views).toBe(AT_ONCE + 2);
      expect(JSON.parse((await visitor.send('/cart')).body)).toEqual({ tea: AT_ONCE });
      const tried = views.map(triedBy);
      expect(new Set(tried.map((its) => its.at(-1)))).toEqual(new Set([living]));
      expect(tried.some((its) => ports.includes(its[0] ?? 0))).toBe(true);
    });

    it('should send nothing elsewhere if Redis hangs', async () => {
      await serve([living, living]);
      stack.redis.pause();
      const reply = await send(`${stack.url}/`);
      stack.redis.resume();
      expect(reply.status).toBe(503);
      expect(triedBy(reply)).toEqual([living]);
    });
  });

  it('should answer soon if no other one has it', async () => {
    await serve(ports);
    const replies = await Promise.all(range(1, AT_ONCE).map(() => send(`${stack.url}/`)));
    for (const reply of replies) {
      expect(reply.status).toBe(503);
      expect(reply.ms).toBeLessThan(1000);
      expect(reply.headers['retry-after']).toBe('1');
      expect(reply.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(JSON.parse(reply.body).detail).toMatch(/^The shared state is unavailable/);
      expect(triedBy(reply).length).toBeLessThanOrEqual(3);
    }
  });

  it('should not redirect for a proxy that has not offered it', async () => {
    const { status, headers } = await send(`http://127.0.0.1:${ports[0]}/`);
    expect(status).toBe(503);
    expect(headers).not.toHaveProperty('x-accel-redirect');
  });
});
