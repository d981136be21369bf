import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keysOf } from '../../tools/lib/redis-client.ts';
import { type Sending, send, Visitor } from '../../tools/lib/visitor.ts';
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
    const keys = await keysOf(stack.topology.url);
    expect(keys.filter((key) => !/^\{dashboard\}:(heartbeat:|instances$)/.test(key))).toEqual([]);
  });

  it.each<[string, Sending]>([
    ['HEAD', { method: 'HEAD' }],
    ['a prefetch', { headers: { 'sec-purpose': 'prefetch' } }],
    ['a prerender', { headers: { 'sec-purpose': 'prefetch;prerender' } }],
    ['a prefetch of an older Chrome', { headers: { purpose: 'prefetch' } }],
    ['a prefetch of an older Firefox', { headers: { 'x-moz': 'prefetch' } }],
    ['a preview of an older Safari', { headers: { 'x-purpose': 'preview' } }],
  ])('should count nothing and store nothing: %s', async (_, sending) => {
    const expected = sending.method === 'HEAD' ? 200 : 503; // a browser then asks again
    const sessions = async () =>
      (await keysOf(stack.topology.url)).filter((key) => key.startsWith('sess:'));
    const before = await sessions();
    const stranger = await send(`${stack.url}/`, sending);
    expect(stranger.status).toBe(expected);
    expect(stranger.headers['set-cookie']).toBeUndefined();
    expect(before).toEqual(expect.arrayContaining(await sessions())); // others may expire

    const ada = new Visitor(stack.url);
    await ada.viewInTurn(2);
    for (const path of ['/', '/me', '/cart', '/dashboard/session', '/dashboard/events']) {
      await ada.send(path, sending);
    }
    expect((await ada.view()).views).toBe(3);
    const audience = (await keysOf(stack.topology.url)).filter((key) =>
      /:(audience|leases)$/.test(key),
    );
    expect(audience).toEqual([]);
  });

  it('should answer HEAD with the headers of GET', async () => {
    const ada = new Visitor(stack.url);
    await ada.view();
    for (const accept of ['*/*', 'application/json']) {
      const [get, head] = [
        await ada.send('/', { headers: { accept } }),
        await ada.send('/', { method: 'HEAD', headers: { accept } }),
      ];
      for (const name of ['content-type', 'cache-control', 'vary', 'content-security-policy']) {
        expect(head.headers[name], name).toBe(get.headers[name]);
      }
      expect(head).toMatchObject({ status: 200, body: '' });
    }
  });

  it('should not be the page, prerendered, which would join the audience', async () => {
    const headers = { accept: 'text/html', 'sec-purpose': 'prefetch;prerender' };
    expect((await send(`${stack.url}/`, { headers })).status).toBe(503);
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
      expect.stringMatching(/\{method="GET",route="\/",status="200",cache=""\} \d+$/),
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
      ['GET', '/DATA'],
      ['DELETE', '/dashboard/nothing'],
      ['GET', '/dashboard/assets/1/nothing'],
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

  it.each([
    ['POST', '/', 'GET, HEAD'],
    ['PUT', '/data', 'DELETE, GET, HEAD'],
    ['GET', '/login', 'POST'],
    ['PATCH', '/cart/tea', 'DELETE'],
    ['OPTIONS', '/cart', 'GET, HEAD, POST'],
    ['DELETE', '/livez', 'GET, HEAD'],
    ['POST', '/dashboard', 'GET, HEAD'],
    ['DELETE', '/dashboard/nickname', 'POST'],
    ['POST', '/dashboard/assets/1/nothing', 'GET, HEAD'],
  ])('should name the methods of a path: %s %s', async (method, path, allow) => {
    const { status, headers, body } = await send(stack.url + path, { method });
    expect(status).toBe(405);
    expect(headers.allow).toBe(allow);
    expect(JSON.parse(body)).toMatchObject({ title: 'Method Not Allowed', status: 405 });
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
