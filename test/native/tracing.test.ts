import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { Collector, collectorMissing } from '../support/otel-collector.ts';
import { range } from '../support/proofs.ts';
import { inKeys, Shopper, sessionIdOf } from '../support/shop.ts';
import { TraceReceiver } from '../support/trace-receiver.ts';

const SERVER = 2;
const CLIENT = 3;

/** Starts a stack whose instances send their traces to a receiver. */
function startTraced(url: string, env: NodeJS.ProcessEnv = {}, trustedProxies?: string[]) {
  const traced = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: url, ...env };
  return Stack.start({ env: traced, ...(trustedProxies && { trustedProxies }) });
}

describe('traces', () => {
  let receiver: TraceReceiver;
  let stack: Stack;
  beforeAll(async () => {
    receiver = await TraceReceiver.start();
    stack = await startTraced(receiver.url, {
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
  });
  afterAll(async () => {
    await stack?.close();
    await receiver?.[Symbol.asyncDispose]();
    expect(receiver?.faults).toEqual([]);
  });

  /** Resolves to the spans of the request that was answered, when nginx's is among them. */
  const traceOf = ({ headers }: { headers: Record<string, unknown> }) =>
    eventually(() => {
      const spans = receiver.trace(headers['x-request-id']);
      expect(spans.map(({ resource }) => resource['service.name'])).toContain('nginx');
      return spans;
    });

  it('should show a request as nginx, the instance and Redis, under its X-Request-Id', async () => {
    const ada = new Visitor(stack.url);
    for (const _ of range(1, 3)) await ada.view(); // so that Redis knows the scripts
    const reply = await ada.send();
    const spans = await traceOf(reply);
    expect(spans).toHaveLength(3);
    const [nginx, app, redis] = spans;
    const id = String(reply.headers['x-request-id']);
    expect(nginx).toMatchObject({
      name: 'GET',
      kind: SERVER,
      traceId: id,
      spanId: id.slice(0, 16),
    });
    expect(nginx?.parentSpanId).toBeUndefined();
    expect(app).toEqual({
      traceId: id,
      spanId: expect.any(String),
      parentSpanId: nginx?.spanId,
      name: 'GET /',
      kind: SERVER,
      startTimeUnixNano: expect.any(String),
      endTimeUnixNano: expect.any(String),
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/',
        'http.response.status_code': 200,
        'url.scheme': 'http',
        'network.protocol.version': '1.1',
        'network.peer.address': '127.0.0.1',
        'network.peer.port': expect.any(Number),
      },
      status: {},
      resource: {
        'service.name': 'app',
        'service.instance.id': reply.headers['x-instance'],
        'deployment.environment.name': 'test',
      },
    });
    const address = new URL(stack.topology.url);
    expect(redis).toMatchObject({
      parentSpanId: app?.spanId,
      name: 'EVALSHA countView',
      kind: CLIENT,
      attributes: {
        'db.system.name': 'redis',
        'db.namespace': '0',
        'db.operation.name': 'EVALSHA',
        'db.stored_procedure.name': 'countView',
        'server.address': address.hostname,
        'server.port': Number(address.port),
      },
    });
    const ends = spans.map(({ endTimeUnixNano }) => endTimeUnixNano);
    expect(ends).toEqual(ends.toSorted().reverse()); // each span includes the next one
    expect(receiver.headers[0]?.authorization).toBe('Bearer abc');
  });

  it.each([
    ['DELETE', '/cart/secret-tea', 'DELETE /cart/:item', 'removeFromCart'],
    ['GET', '/me', 'GET /me', 'GET'],
    ['GET', '/data/some-key', 'GET /data/:key', 'readEntry'],
    ['GET', '/secret-path', 'GET', undefined],
    ['PROPFIND', '/', 'HTTP', undefined],
  ])('should name %s %s by its route', async (method, path, name, command) => {
    const ada = new Visitor(stack.url);
    await ada.view();
    const spans = await traceOf(await ada.send(path, { method }));
    const app = spans.find(({ resource }) => resource['service.name'] === 'app');
    expect(app?.name).toBe(name);
    const commands = spans.filter(({ kind }) => kind === CLIENT);
    for (const { parentSpanId } of commands) expect(parentSpanId).toBe(app?.spanId);
    if (command) expect(commands.map((it) => it.name).join()).toContain(command);
    else expect(commands).toEqual([]);
  });

  it('should name the routes of a prepared reply, too', async () => {
    for (const path of ['/data', '/data/fresh-key']) {
      const replies = [];
      for (const _ of range(1, 6)) replies.push(await send(stack.url + path));
      const spans = (await Promise.all(replies.map(traceOf))).flat();
      const routes = spans.flatMap(({ attributes }) => attributes['http.route'] ?? []);
      expect(new Set(routes)).toEqual(new Set([path.replace('fresh-key', ':key')]));
      expect(routes).toHaveLength(6);
    }
  });

  it('should find the request of a command if the body arrives late', async () => {
    const socket = connect(stack.instances[0]?.port ?? 0, '127.0.0.1');
    const id = 'ab'.repeat(16);
    const head = ['POST /cart HTTP/1.1', 'Host: x', `X-Request-Id: ${id}`, 'Connection: close'];
    const body = '{"item":"tea","quantity":1}';
    const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`];
    socket.write([...head, ...headers, '', body.slice(0, 5)].join('\r\n'));
    await delay(100); // two packets
    socket.write(body.slice(5));
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
    await eventually(() => {
      const commands = receiver.trace(id).filter(({ kind }) => kind === CLIENT);
      expect(commands.map(({ name }) => name).join()).toContain('addToCart');
    });
  });

  it('should keep requests apart that arrive in one packet', async () => {
    const socket = connect(stack.instances[0]?.port ?? 0, '127.0.0.1');
    const ids = ['1c', '2c', '3c'].map((part) => part.repeat(16));
    // The one in the middle is not sampled, as its caller has decided.
    const callers = ['01', '00', '01'].map((flags, i) => `00-${ids[i]}-${'d'.repeat(16)}-${flags}`);
    const requests = callers.map((caller) => [
      'GET /me HTTP/1.1',
      'Host: x',
      `traceparent: ${caller}`,
    ]);
    requests.at(-1)?.push('Connection: close');
    socket.write(requests.map((lines) => `${lines.join('\r\n')}\r\n\r\n`).join(''));
    await text(socket);
    await eventually(() => expect(receiver.trace(ids[2])).toHaveLength(1));
    expect(ids.map((id) => receiver.trace(id).length)).toEqual([1, 0, 1]);
    expect(receiver.trace(ids[0])[0]?.parentSpanId).toBe('d'.repeat(16));
  });

  it('should show both tries in one trace if the first instance hangs', async () => {
    stack.process('app-1').pause();
    const replies = await Promise.all(range(1, 3).map(() => send(`${stack.url}/me`)));
    stack.process('app-1').resume();
    const [slow] = replies.toSorted((a, b) => b.ms - a.ms);
    expect(slow?.ms).toBeGreaterThan(1700);
    const id = slow?.headers['x-request-id'];
    const tries = await eventually(() => {
      const its = receiver.trace(id).filter(({ resource }) => resource['service.name'] === 'app');
      expect(its).toHaveLength(2);
      return its;
    });
    const instances = tries.map(({ resource }) => resource['service.instance.id']);
    expect(instances).toContain('app-1');
    expect(instances).toContain(slow?.headers['x-instance']);
    const ofNginx = receiver
      .trace(id)
      .filter(({ resource }) => resource['service.name'] === 'nginx');
    expect(ofNginx).toHaveLength(1); // of the try that nginx has passed on
    for (const { parentSpanId } of tries) expect(parentSpanId).toBe(ofNginx[0]?.spanId);
    const { startTimeUnixNano: from, endTimeUnixNano: to } =
      ofNginx[0] ?? tries[0] ?? expect.fail();
    expect(Number(BigInt(to) - BigInt(from)) / 1e6).toBeGreaterThan(1700);
  });

  it('should keep the id of the trace if the first instance dies', async () => {
    const received: unknown[] = [];
    const dying = createServer((req) => {
      received.push(req.headers['x-request-id']);
      req.socket.destroy();
    });
    await once(dying.listen(0, '127.0.0.1'), 'listening');
    const ports = [(dying.address() as AddressInfo).port, stack.instances[0]?.port ?? 0];
    stack.nginx.write({ app: ports, dashboard: [stack.dashboard.port] });
    await stack.nginx.reload();
    for (const _ of range(1, 2)) {
      const reply = await send(`${stack.url}/me`);
      const spans = await traceOf(reply);
      expect(spans.map(({ name }) => name)).toEqual(['GET', 'GET /me']);
    }
    dying.close();
    expect(received).toHaveLength(1);
    expect(receiver.trace(received[0])).toHaveLength(2);
    await stack.scale(3);
  });

  it('should not believe a client that it continues a trace', async () => {
    const caller = `00-${'ef'.repeat(16)}-${'a'.repeat(16)}-00`;
    const reply = await send(`${stack.url}/me`, { headers: { traceparent: caller } });
    expect(await traceOf(reply)).toHaveLength(2);
    expect(receiver.trace('ef'.repeat(16))).toEqual([]);
  });

  it('should not include health checks and metrics', async () => {
    const direct = `http://127.0.0.1:${stack.instances[0]?.port}`;
    for (const path of ['/livez', '/readyz', '/metrics', '/me']) {
      const id = Buffer.from(path.padEnd(16)).toString('hex');
      await send(direct + path, { headers: { 'x-request-id': id } });
    }
    const idOf = (path: string) => Buffer.from(path.padEnd(16)).toString('hex');
    await eventually(() => expect(receiver.trace(idOf('/me'))).toHaveLength(1));
    for (const path of ['/livez', '/readyz', '/metrics']) {
      expect(receiver.trace(idOf(path))).toEqual([]);
    }
  });

  it('should never include what a client has chosen', async () => {
    const secret = fc.string({ minLength: 8, maxLength: 40, unit: 'binary-ascii' });
    const visible = fc.stringMatching(/^[\p{L}\p{N}.:$-]{8,40}$/u);
    const token = fc.stringMatching(/^[a-z0-9-]{12,40}$/);
    const visit = fc.record({ name: visible, item: visible, body: secret, header: token });
    const secrets: string[] = [];
    const statuses: number[] = [];
    await fc.assert(
      fc.asyncProperty(visit, async ({ name, item, body, header }) => {
        const shopper = new Shopper(stack.url);
        const headers = {
          'user-agent': header,
          'idempotency-key': header,
          'x-request-id': header,
          traceparent: header,
          tracestate: `a=${header}`,
          baggage: `a=${header}`,
          cookie: `other=${header}`,
          referer: header,
          'x-forwarded-for': header,
        };
        const replies = [await shopper.view().then(() => shopper.logIn(name))];
        secrets.push(name, item, body, header);
        for (const id of [sessionIdOf(shopper)]) secrets.push(id, inKeys(id));
        secrets.push(...shopper.cookies.values());
        replies.push(
          await shopper.add(item),
          await shopper.send('/cart', { method: 'POST', headers, body }),
          await shopper.send(`/cart/${encodeURIComponent(item)}`, { method: 'DELETE' }),
          await send(`${stack.url}/${header}?q=${header}`, { headers }),
          await send(`${stack.url}/data/${header}`, { headers }),
          await shopper.post('/dashboard/nickname', { nickname: name }),
        );
        statuses.push(...replies.map(({ status }) => status));
      }),
      { numRuns: 15 },
    );
    const last = await send(`${stack.url}/cart`);
    await traceOf(last);
    await delay(1500); // the other instances send what they still have
    const exported = textsIn(receiver.bodies);
    expect(exported).toContain('EVALSHA addToCart');
    expect(exported).toContain('/dashboard/nickname');
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(40);
    const found = secrets.filter((it) => exported.some((one) => one.includes(it)));
    expect(found).toEqual([]);
  });
});

/** All texts in JSON documents, keys included. */
function textsIn(documents: string[]): string[] {
  const found = new Set<string>();
  for (const document of documents) {
    JSON.parse(document, (key, value) => {
      found.add(key);
      if (typeof value !== 'object') found.add(String(value));
      return value;
    });
  }
  return [...found];
}

describe('traces behind a trusted proxy', () => {
  it('should continue those of the proxy, and leave out what it has not sampled', async () => {
    await using receiver = await TraceReceiver.start();
    await using stack = await startTraced(receiver.url, { OTEL_SERVICE_NAME: 'shop' }, [
      '::1',
      '127.0.0.0/8',
    ]);
    const ask = (id: string, flags: string) =>
      send(`${stack.url}/me`, { headers: { traceparent: `00-${id}-${'a'.repeat(16)}-${flags}` } });
    const [traced, other] = ['cd'.repeat(16), 'ef'.repeat(16)];
    await ask(other, '00');
    const reply = await ask(traced, '01');
    const spans = await eventually(() => {
      expect(receiver.trace(traced)).toHaveLength(2);
      return receiver.trace(traced);
    });
    const [nginx, app] = spans;
    expect(nginx).toMatchObject({
      parentSpanId: 'a'.repeat(16),
      spanId: String(reply.headers['x-request-id']).slice(0, 16),
    });
    expect(app).toMatchObject({
      parentSpanId: nginx?.spanId,
      resource: { 'service.name': 'shop' },
    });
    expect(receiver.trace(other)).toEqual([]);
  });
});

const missing = collectorMissing();

it.runIf(process.env.REQUIRE_OTEL_COLLECTOR === '1')(
  'should have a Collector to test with, since REQUIRE_OTEL_COLLECTOR=1',
  () => expect(missing).toBeUndefined(),
);

describe.skipIf(missing)(`the Collector${missing ? ` (skipped: ${missing})` : ''}`, () => {
  it('should understand all spans, and pass them on', async () => {
    await using receiver = await TraceReceiver.start();
    await using collector = await Collector.start(receiver.url);
    await using stack = await startTraced(collector.url);
    const ada = new Shopper(stack.url);
    await ada.view();
    await ada.logIn('Ada');
    await ada.add('tea');
    const reply = await ada.send('/cart/tea', { method: 'DELETE' });
    const spans = await eventually(() => {
      const its = receiver.trace(reply.headers['x-request-id']);
      expect(its.map(({ name }) => name)).toContain('DELETE');
      return its;
    });
    const [nginx, app, ...commands] = spans;
    expect(nginx).toMatchObject({ kind: SERVER, resource: { 'service.name': 'nginx' } });
    expect(app).toMatchObject({
      name: 'DELETE /cart/:item',
      kind: SERVER,
      parentSpanId: nginx?.spanId,
      attributes: { 'http.response.status_code': 204, 'http.route': '/cart/:item' },
    });
    expect(commands.at(-1)?.name).toMatch(/^EVAL(SHA)? removeFromCart$/);
    for (const { parentSpanId } of commands) expect(parentSpanId).toBe(app?.spanId);
  });

  it('should refuse what is no trace', async () => {
    await using receiver = await TraceReceiver.start();
    await using collector = await Collector.start(receiver.url);
    const headers = { 'content-type': 'application/json' };
    const post = (body: string) =>
      send(`${collector.url}/v1/traces`, { method: 'POST', headers, body });
    const span = { traceId: 'ab'.repeat(16), spanId: 'c'.repeat(16), name: 'a', kind: 2 };
    const batch = (it: object) =>
      JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [it] }] }] });
    expect((await post(batch(span))).status).toBe(200);
    expect((await post(batch({ ...span, traceId: 'ab' }))).status).toBe(400);
  });
});

describe('a receiver of traces', () => {
  it('should not slow down, fail or keep an instance if it is away, hangs or refuses', async () => {
    await using hanging = await TraceReceiver.start(0);
    await using refusing = await TraceReceiver.start(503);
    const urls = [`http://127.0.0.1:${await freePort()}`, hanging.url, refusing.url];
    const env = (name: string) => ({
      ...process.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: urls[Number(/\d+$/.exec(name)?.[0]) - 1],
    });
    await using stack = await Stack.start({ env });
    const ada = new Visitor(stack.url);
    await ada.view();
    for (const _ of range(1, 10)) {
      const replies = await Promise.all(range(1, 90).map(() => ada.send()));
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    }
    expect((await ada.view()).views).toBe(902);
    for (const instance of stack.instances) {
      const from = performance.now();
      await instance.stop();
      expect(performance.now() - from, instance.name).toBeLessThan(4000);
      const log = readFileSync(join(stack.folder, `${instance.name}.log`), 'utf8');
      const lines = log.split('\n').filter((line) => line.includes('spans were dropped'));
      expect(lines.length, log).toBeGreaterThan(0);
      expect(lines.length, log).toBeLessThanOrEqual(2);
      expect(log).toContain('"ended"');
    }
    expect(hanging.bodies.length).toBeGreaterThan(0);
    expect(refusing.bodies.length).toBeGreaterThan(0);
  });
});
