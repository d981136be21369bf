import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keysOf } from '../../tools/lib/redis-client.ts';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';

describe('requests that are not visits', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());
  const direct = () => `http://127.0.0.1:${stack.instances[0]?.port}`;

  it('should set no cookie and store no key', async () => {
    const paths = ['/livez', '/readyz', '/metrics', '/favicon.ico', '/robots.txt', '/.env'];
    for (const base of [stack.url, direct()]) {
      for (const path of paths) {
        const { headers } = await send(base + path);
        expect(headers['set-cookie'], path).toBeUndefined();
      }
    }
    const keys = await keysOf(stack.redis.url);
    expect(keys.filter((key) => !/^(heartbeat:|instances$)/.test(key))).toEqual([]);
  });

  it('should answer the health probes', async () => {
    expect(await send(`${direct()}/livez`)).toMatchObject({ status: 200, body: 'live' });
    expect(await send(`${direct()}/readyz`)).toMatchObject({ status: 200, body: 'ready' });
  });

  it('should expose metrics by route, but not through nginx', async () => {
    await send(`${direct()}/`);
    await send(`${direct()}/no/such/path`);
    const { body, headers } = await send(`${direct()}/metrics`);
    expect(headers['content-type']).toContain('text/plain; version=0.0.4');
    const counts = body.split('\n').filter((line) => line.includes('_seconds_count'));
    expect(counts).toContainEqual(
      expect.stringMatching(
        /instance="app-1",method="GET",route="\/",status="200",cache=""\} \d+$/,
      ),
    );
    expect(body).not.toContain('such');
    for (const path of [
      '/metrics',
      '/metrics/',
      '/METRICS',
      '//metrics',
      '/%6detrics',
      '/x/../metrics',
    ]) {
      const reply = await send(stack.url + path);
      expect(reply.status, path).toBe(404);
      expect(reply.body, path).not.toContain('http_request');
    }
  });

  it('should answer any other request with a problem document', async () => {
    const requests = [
      ['GET', '/nothing'],
      ['POST', '/'],
      ['DELETE', '/'],
      ['PUT', '/data'],
      ['GET', '/DATA'],
    ] as const;
    for (const [method, path] of requests) {
      const { status, headers, body } = await send(stack.url + path, { method });
      expect(status, `${method} ${path}`).toBe(404);
      expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(JSON.parse(body)).toMatchObject({
        type: 'about:blank',
        title: 'Not Found',
        status: 404,
      });
    }
  });

  it('should name the instance and the request in every reply', async () => {
    for (const path of ['/', '/data', '/livez', '/nothing']) {
      const { headers } = await send(stack.url + path);
      expect(headers['x-instance'], path).toMatch(/^app-[123]$/);
      expect(headers['x-request-id'], path).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it('should pass on a valid request ID, and replace an invalid one', async () => {
    const ask = (id: string) => send(`${direct()}/livez`, { headers: { 'x-request-id': id } });
    expect((await ask('0123456789abcdef')).headers['x-request-id']).toBe('0123456789abcdef');
    expect((await ask('a b')).headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect((await ask('x'.repeat(65))).headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});
