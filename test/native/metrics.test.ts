import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePrometheusText } from '../../services/dashboard/prometheus-text.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { infoNumber, inRedis } from '../../tools/lib/redis-client.ts';
import { type Running, runInstance } from '../../tools/lib/running.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { range } from '../support/proofs.ts';
import { RedisAlone } from '../support/redis-alone.ts';

describe('the metrics of an instance', () => {
  let alone: RedisAlone;
  let instance: Running;
  let url: string;
  beforeAll(async () => {
    alone = await RedisAlone.start();
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    instance = runInstance({ REDIS_URL: alone.url, PORT: String(port), INSTANCE: 'blue' });
    await eventually(async () => expect((await send(`${url}/readyz`)).status).toBe(200), 20_000);
  });
  afterAll(async () => {
    await instance?.[Symbol.asyncDispose]();
    await alone?.[Symbol.asyncDispose]();
  });

  /** The series of a metric, as label value and number; without a label by the empty text. */
  async function read(metric: string): Promise<Record<string, number>> {
    const { body } = await send(`${url}/metrics`);
    const series = parsePrometheusText(body).filter(({ name }) => name === metric);
    return Object.fromEntries(series.map(({ labels, value }) => [Object.values(labels), value]));
  }

  /** A hash of idempotency keys is created with the first view of each visitor. */
  const view = (visitors: number) =>
    Promise.all(
      range(1, visitors).map(() => new Visitor(url).send('/', { headers: { 'x-request-id': ID } })),
    );
  const ID = '0123456789abcdef';

  it('should leave the label instance to Prometheus, and tell the name in one series', async () => {
    const { body } = await send(`${url}/metrics`);
    expect(body).not.toMatch(/[{,](exported_)?instance="/);
    expect(await read('target_info')).toEqual({ blue: 1 });
  });

  it('should tell the limit of the heap', async () => {
    const [limit = 0] = Object.values(await read('nodejs_heap_size_limit_bytes'));
    const [used = 0] = Object.values(await read('nodejs_heap_size_used_bytes'));
    expect(limit).toBeGreaterThan(used);
  });

  it('should count requests by class, from 0 and without probes', async () => {
    expect(await read('http_requests_total')).toEqual({ '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 });
    for (const path of ['/', '/data', '/nothing', '/livez', '/readyz']) await send(url + path);
    expect(await read('http_requests_total')).toEqual({ '2xx': 2, '3xx': 0, '4xx': 1, '5xx': 0 });
  });

  it('should count the idempotency keys that Redis evicts, and no other key', async () => {
    await view(50);
    await inRedis(alone.url, async (redis) => {
      expect(await redis.keys('applied:*')).toHaveLength(50);
      const fill = (prefix: string, options: { EX?: number }) =>
        Promise.all(
          range(1, 2000).map((i) => redis.set(prefix + i, 'x'.repeat(1000), options)),
        ).catch(() => {}); // no memory is left
      await redis.configSet(
        'maxmemory',
        String((await infoNumber(redis, 'used_memory')) + 2 ** 20),
      );
      await fill('cache:', { EX: 60 });
      expect(await infoNumber(redis, 'evicted_keys')).toBeGreaterThan(0);
      expect(await read('idempotency_keys_evicted_total')).toEqual({ '': 0 });
      await fill('other:', {});
      await eventually(async () => {
        const gone = 50 - (await redis.keys('applied:*')).length;
        expect(gone).toBeGreaterThan(0);
        expect(await read('idempotency_keys_evicted_total')).toEqual({ '': gone });
      });
      await redis.configSet('maxmemory', '0');
    });
  });

  it('should tell that Redis is away, and count the requests that fail', async () => {
    expect(await read('redis_connected')).toEqual({ '': 1 });
    const before = await read('http_requests_total');
    await alone.process.kill();
    await eventually(async () => expect(await read('redis_connected')).toEqual({ '': 0 }));
    for (const _ of range(1, 3)) expect((await send(url)).status).toBe(503);
    expect((await send(`${url}/readyz`)).status).toBe(503);
    expect(await read('http_requests_total')).toEqual({ ...before, '5xx': 3 });
  });
});
