import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { Events } from '../support/events.ts';
import { range } from '../support/proofs.ts';

describe('nginx', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ scale: 1 });
  });
  afterAll(() => stack?.close());

  it('should let 30 KB of cookies pass, which other programs on localhost may have set', async () => {
    const cookie = `a=${'x'.repeat(30 * 1024)}`;
    expect((await send(`${stack.url}/`, { headers: { cookie } })).body).toBe('Views: 1');
  });

  it.each([
    ['cookies of 40 KB', 'GET', '/', 40, 0, 431, /cookies/],
    ['a URL of 40 KB', 'GET', `/${'x'.repeat(40 * 1024)}`, 0, 0, 414, /^The URL .* 32 KB/],
    ['a body of 20 KB', 'POST', '/login', 0, 20, 413, /^The body .* 16 KB/],
    ['a body of 70 KB', 'POST', '/login', 0, 70, 413, /^The body .* 64 KB/],
  ])('should say what is too large: %s', async (...parameters) => {
    const [, method, path, cookieKb, bodyKb, status, detail] = parameters;
    const cookie = `a=${'x'.repeat(cookieKb * 1024)}`;
    const headers = { cookie, 'content-type': 'application/json' };
    const sending = { method, headers, body: 'x'.repeat(bodyKb * 1024) };
    const reply = await send(stack.url + path, sending);
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.body).detail).toMatch(detail);
  });

  it('should refuse requests that an instance would refuse', async () => {
    const headers = Object.fromEntries(
      Array.from({ length: 400 }, (_, i) => [`x-filler-${i}`, 'x'.repeat(400)]),
    );
    const { status, headers: received } = await send(`${stack.url}/`, { headers });
    expect(status).toBe(431);
    expect(received.server).toBe('nginx');
    expect(received['x-instance']).toBeUndefined();
    const direct = await send(`http://127.0.0.1:${stack.instances[0]?.port}/`, { headers });
    expect(direct.status).toBe(431);
    expect(JSON.parse(direct.body).detail).toMatch(/cookies/);
  });

  it.each([
    ['127.0.0.0/8', 'believe', { cookie: /; Secure/, https: 200, http: 403 }],
    ['10.0.0.0/8', 'not believe', { cookie: /SameSite=Lax$/, https: 403, http: 403 }],
  ])('should, with trusted proxies in %s, %s one on this machine', async (range, _, expected) => {
    await using behind = await Stack.start({ scale: 1, trustedProxies: ['::1', range] });
    const claims = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' };
    const { headers } = await send(`${behind.url}/`, { headers: claims });
    expect(headers['set-cookie']?.[0]).toMatch(expected.cookie);
    for (const scheme of ['https', 'http'] as const) {
      const sending = { headers: { ...claims, origin: `${scheme}://shop.example` } };
      const { status } = await new Visitor(behind.url).post('/login', { name: 'Ada' }, sending);
      expect(status, scheme).toBe(expected[scheme]);
    }
  });

  it('should compress the page and its files, but no event stream', async () => {
    const headers = { accept: 'text/html', 'accept-encoding': 'gzip' };
    const [, script = ''] =
      /<script src="([^"]+)"/.exec(
        (await send(`${stack.url}/`, { headers: { accept: 'text/html' } })).body,
      ) ?? [];
    const encodingOf = async (path: string) =>
      (await send(stack.url + path, { headers })).headers['content-encoding'];
    expect(await encodingOf('/')).toBe('gzip');
    expect(await encodingOf(script)).toBe('gzip');
    await using events = await Events.open(`${stack.url}/dashboard/events`, headers);
    expect(events.headers['content-encoding']).toBeUndefined();
  });

  it('should answer with a problem document, or a page for a browser, if no instance can', async () => {
    await using alone = await Stack.start({ scale: 1 });
    await alone.process('app-1').kill();
    await alone.dashboard.kill();
    const page = await send(`${alone.url}/`, { headers: { accept: 'text/html' } });
    expect(page.status).toBe(502);
    expect(page.headers['content-type']).toBe('text/html');
    expect(page.body).toMatch(/http-equiv="refresh" content="2".*502 Bad Gateway/);
    const { status, headers, body } = await send(`${alone.url}/`);
    expect(status).toBe(502);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(headers['retry-after']).toBe('1');
    expect(JSON.parse(body)).toEqual({ type: 'about:blank', title: 'Bad Gateway', status: 502 });
  });

  it('should ask all instances, however many are gone', async () => {
    await using many = await Stack.start({ scale: 1 });
    const gone = await Promise.all(range(1, 8).map(() => freePort('127.0.0.1')));
    const [living] = many.instances;
    many.nginx.write({ app: [...gone, living?.port ?? 0], dashboard: [1] });
    await many.nginx.reload();
    for (const _ of range(1, 18)) expect((await send(`${many.url}/livez`)).status).toBe(200);
  });

  it('should choose the application by the path as it was sent, not decoded', async () => {
    const reply = await send(`${stack.url}/cart/..%2Fdashboard`, { method: 'DELETE' });
    expect(reply.headers['x-instance']).toBe('app-1');
    expect(reply.status).toBe(204);
  });

  it('should hide the metrics of both applications', async () => {
    const paths = ['/metrics', '/metrics/', '//metrics', '/METRICS', '/%6detrics'];
    const ofDashboard = ['/dashboard/metrics', '/dashboard/metrics/', '/dashboard/../metrics'];
    for (const path of [...paths, ...ofDashboard]) {
      const reply = await sendRaw(`GET ${path}`);
      expect(reply, path).toMatch(/^HTTP\/1\.1 404 /);
      expect(reply, path).not.toContain('process_');
    }
  });

  it.each([
    ['GET', '/', 'text/html,*/*', 'dashboard'],
    ['HEAD', '/', 'text/html', 'dashboard'],
    ['GET', '/?a=/b', 'text/html', 'dashboard'],
    ['GET', '/', '*/*', 'app-1'],
    ['GET', '/', 'application/json, text/html', 'app-1'],
    ['POST', '/', 'text/html', 'app-1'],
    ['GET', '/data', 'text/html', 'app-1'],
    ['GET', '/x?/ text/html', 'text/html', 'app-1'],
    ['GET', '/dashboard', '*/*', 'dashboard'],
    ['GET', '/dashboard?a', '*/*', 'dashboard'],
    ['POST', '/dashboard/participants', '*/*', 'dashboard'],
    ['GET', '/dashboards', 'text/html', 'app-1'],
    ['GET', '/x/dashboard/session', 'text/html', 'app-1'],
    ['GET', '/?/dashboard/', '*/*', 'app-1'],
  ])('should send %s %s with Accept: %s to %s', async (method, path, accept, instance) => {
    const reply = await send(stack.url + encodeURI(path), { method, headers: { accept } });
    expect(reply.headers['x-instance']).toBe(instance);
  });

  /** Sends the first words of a request line as they are, and resolves to the reply. */
  async function sendRaw(words: string, ...headers: string[]): Promise<string> {
    const socket = connect(Number(new URL(stack.url).port), 'localhost');
    const lines = [`${words} HTTP/1.1`, 'Host: x', ...headers, 'Connection: close'];
    socket.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
    return text(socket);
  }

  it('should refuse TRACE on any path with a problem document', async () => {
    const { status, body } = await send(`${stack.url}/`, { method: 'TRACE' });
    expect(status).toBe(501);
    expect(JSON.parse(body)).toMatchObject({ title: 'Not Implemented', status: 501 });
  });

  it.each([
    ['an unknown method', 'FOO', '/', 'x'],
    ['a header with a control character', 'GET', '/', 'a\x01b'],
    ['a path with a byte that is not ASCII', 'GET', '/\xff', 'x'],
  ])('should answer with a problem document: %s', async (_, method, path, value) => {
    const reply = await sendRaw(`${method} ${path}`, `X-A: ${value}`);
    expect(reply).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(reply).toMatch(/^Content-Type: application\/problem\+json\r$/m);
    expect(JSON.parse(reply.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status: 400 });
  });

  describe('in front of a server that shows what it gets', () => {
    let upstream: Server;
    const received: IncomingMessage[] = [];
    let lateMs = 0;
    beforeAll(async () => {
      upstream = createServer((req, res) => {
        received.push(req);
        setTimeout(() => res.end('ok'), lateMs);
      });
      upstream.listen(0, '127.0.0.1');
      await once(upstream, 'listening');
      stack.nginx.write({ app: [(upstream.address() as AddressInfo).port], dashboard: [1] });
      await stack.nginx.reload();
    });
    afterAll(() => upstream.close());

    it('should overwrite what a client claims about itself', async () => {
      const reply = await send(`${stack.url}/`, {
        headers: {
          host: 'evil.example',
          forwarded: 'for=6.6.6.6',
          'x-forwarded-for': '6.6.6.6',
          'x-forwarded-host': 'worse.example',
          'x-forwarded-proto': 'https',
          'x-forwarded-port': '443',
          'x-real-ip': '6.6.6.6',
          'x-request-id': 'chosen-by-the-client',
        },
      });
      expect(reply.status).toBe(200);
      const headers = received.at(-1)?.headers;
      expect(headers).toMatchObject({
        host: 'app',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'http',
      });
      expect(headers?.['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
      for (const name of ['forwarded', 'x-forwarded-port', 'x-real-ip']) {
        expect(headers, name).not.toHaveProperty(name);
      }
    });

    it.each([
      ['/live', 'websocket', 'upgrade'],
      ['/', 'WebSocket', 'upgrade'],
      ['/', 'h2c', undefined],
      ['/live', undefined, undefined],
    ])(
      'should ask an instance for an upgrade only if its client does: %s, %s',
      async (...given) => {
        const [path, upgrade, connection] = given;
        const asked = upgrade && { connection: 'Upgrade', upgrade };
        await send(stack.url + path, { headers: { ...asked } });
        expect(received.at(-1)?.headers.connection).toBe(connection);
        expect(received.at(-1)?.headers.upgrade).toBe(connection && 'websocket');
      },
    );

    it('should wait for a late reply under /live and /socket.io, and nowhere else', async () => {
      lateMs = 2500;
      const paths = ['/live', '/live/poll', '/socket.io/?transport=polling', '/lively', '/'];
      const replies = await Promise.all(paths.map((path) => send(stack.url + path)));
      lateMs = 0;
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 504, 504]);
    });

    it('should send a POST to the next instance if one dies, as often as there are instances', async () => {
      using dying = await threeServers((req) => req.socket.destroy());
      const living = (upstream.address() as AddressInfo).port;
      stack.nginx.write({ app: [...dying.ports, living], dashboard: [1] });
      await stack.nginx.reload();
      for (const _ of range(1, 8)) {
        expect((await send(`${stack.url}/cart`, { method: 'POST', body: '{}' })).status).toBe(200);
      }
    });

    it('should keep its connection to an instance open', async () => {
      received.length = 0;
      for (let i = 0; i < 4; i += 1) await send(`${stack.url}/`);
      expect(new Set(received.map((req) => req.socket)).size).toBeLessThanOrEqual(2);
    });
  });

  it('should pass over two instances that hang, and name all that it tried', async () => {
    let tries = 0;
    using hanging = await threeServers((_req, res) => {
      tries += 1;
      if (tries === 3) res.end();
    });
    stack.nginx.write({ app: hanging.ports, dashboard: [1] });
    await stack.nginx.reload();
    const { status, headers } = await send(`${stack.url}/`);
    expect(status).toBe(200);
    const tried = String(headers['x-upstream-addr']).split(', ');
    expect(tried.sort()).toEqual(hanging.ports.map((port) => `127.0.0.1:${port}`).sort());
  });

  it('should repeat a POST until an instance answers, if others die during it', async () => {
    using dying = await threeServers((req) => req.socket.destroy());
    stack.nginx.write({ app: [...dying.ports, stack.instances[0]?.port ?? 0], dashboard: [1] });
    await stack.nginx.reload();
    for (const _ of range(1, 4)) {
      expect((await new Visitor(stack.url).post('/login', { name: 'Ada' })).status).toBe(200);
    }
  });

  it('should refuse a broken configuration and go on with the one it has', async () => {
    await stack.scale(1);
    stack.nginx.write({ app: [70_000], dashboard: [1] });
    await expect(stack.nginx.reload()).rejects.toThrow('nginx refuses its configuration');
    expect((await send(`${stack.url}/`)).status).toBe(200);
  });
});

/** Three servers that treat requests like this. */
async function threeServers(listener: RequestListener): Promise<Disposable & { ports: number[] }> {
  const servers = range(1, 3).map(() => createServer(listener));
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    ports: servers.map((server) => (server.address() as AddressInfo).port),
    [Symbol.dispose]: () => {
      for (const server of servers) server.close();
    },
  };
}
