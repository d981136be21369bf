import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { inKeys, Shopper, sessionIdOf } from '../support/shop.ts';

const SECRET = 'the-secret-of-all-instances-here';

/** A cookie signed as express-session does it. */
function signed(id: string, secret = SECRET): string {
  const signature = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
  return encodeURIComponent(`s:${id}.${signature}`);
}

/** Runs a property 200 times; the seed is printed, so that a failure can be repeated. */
async function fuzz<T>(property: fc.IAsyncProperty<T>): Promise<void> {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
  console.log(`FUZZ_SEED=${seed}`);
  await fc.assert(property, { numRuns: 200, seed, endOnFailure: true });
}

/** Of which state, by which command, with which value. */
type Corruption = [kind: string, command: string, value: string[]];

describe('sessions under attack', () => {
  let stack: Stack;
  let ada: Shopper;
  beforeAll(async () => {
    stack = await Stack.start({ env: { ...process.env, SESSION_SECRET: SECRET } });
  });
  afterAll(() => stack?.close());
  beforeEach(async () => {
    ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    await ada.view();
  });

  const warnings = () =>
    stack.instances
      .map(({ name }) => readFileSync(join(stack.folder, `${name}.log`), 'utf8'))
      .join('')
      .split('\n')
      .filter((line) => line.includes('"level":"warn"') || line.includes('"level":"error"'));

  describe('a corrupt stored session', () => {
    const cookie = '{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}';
    it.each([
      ['bad JSON', 'SET', '{"cookie":'],
      ['an array', 'SET', '[]'],
      ['a string', 'SET', '"x"'],
      ['an empty object', 'SET', '{}'],
      ['no cookie', 'SET', '{"cookie":null}'],
      ['2 MB of junk', 'SET', 'x'.repeat(2_000_000)],
      ['an unknown version', 'SET', `{"version":99,"startedAt":1,"cookie":${cookie}}`],
      ['a hash in Redis', 'HSET', 'field'],
      ['a list in Redis', 'RPUSH', 'value'],
    ])('should cause one line in the log and a new session: %s', async (_name, command, value) => {
      const id = sessionIdOf(ada);
      await inRedis(stack.topology.url, async (redis) => {
        await redis.del(`sess:${inKeys(id)}`);
        const rest = command === 'HSET' ? [value, 'x'] : [value];
        await redis.sendCommand([command, `sess:${inKeys(id)}`, ...rest]);
      });
      const before = warnings().length;
      const seen = await ada.viewInTurn(3);
      expect(seen.map(({ views }) => views)).toEqual([1, 2, 3]);
      expect(sessionIdOf(ada)).not.toBe(id);
      const warned = await eventually(() => {
        const lines = warnings(); // the log may be written just after the reply
        expect(lines).toHaveLength(before + 1);
        return lines;
      });
      for (const line of warned) expect(line.length).toBeLessThan(400);
    });

    it.each<Corruption>([
      ['views', 'SET', ['junk']],
      ['views', 'HSET', ['a', 'b']],
      ...['9223372036854775807', '9'.repeat(23), '007', '-5', '-1', '1.5', ' 7', ''].map(
        (views): Corruption => ['views', 'SET', [views]],
      ),
      ['cart', 'SET', ['junk']],
      ...['many', '9223372036854775807', '9'.repeat(23), '007', '-5', '-1', '1e3', ''].map(
        (quantity): Corruption => ['cart', 'HSET', ['tea', quantity]],
      ),
      ['profile', 'SET', ['junk']],
    ])('should lose only its %s if they are corrupt (%s, %j)', async (kind, command, value) => {
      await ada.add('milk', 2);
      const key = `${kind}:${inKeys(sessionIdOf(ada))}`;
      await inRedis(stack.topology.url, async (redis) => {
        await redis.del(key);
        await redis.sendCommand([command, key, ...value]);
      });
      const before = warnings().length;
      expect((await ada.view()).views).toBe(kind === 'views' ? 1 : 2);
      expect((await ada.add('tea')).status).toBe(200);
      expect(await ada.me()).toMatchObject({ name: 'Ada', cart: { tea: 1 } });
      expect((await ada.post('/dashboard/nickname', { nickname: 'x' })).status).toBe(200);
      expect((await ada.send('/dashboard/session')).status).toBe(200);
      await eventually(() => expect(warnings()).toHaveLength(before + 1));
    });
  });

  describe('an invalid cookie', () => {
    /** Expects a new session or a rejection, but no other session and no server error. */
    async function expectNewVisitor(cookie: string): Promise<void> {
      const reply = await send(`${stack.url}/`, { headers: { cookie } });
      expect([200, 400, 431]).toContain(reply.status);
      if (reply.status === 200) expect(reply.body).toBe('Views: 1');
      const me = await send(`${stack.url}/me`, { headers: { cookie } });
      expect([401, 400, 431]).toContain(me.status);
    }
    const id = () => sessionIdOf(ada);

    it.each<[string, () => string]>([
      ['forged', () => `connect.sid=${signed(id(), 'another-secret-of-32-characters!')}`],
      ['unsigned', () => `connect.sid=${id()}`],
      ['with an empty signature', () => `connect.sid=s%3A${id()}.`],
      ['without a signature', () => `connect.sid=s%3A${id()}`],
      ['truncated', () => `connect.sid=${signed(id()).slice(0, -3)}`],
      ['with a broken percent escape', () => `connect.sid=%E0%A4%A${signed(id())}`],
      ['with NUL', () => `connect.sid=${signed(id())}%00`],
      ['of 6 KB', () => `connect.sid=${'x'.repeat(6 * 1024)}`],
      ['of 12 KB', () => `connect.sid=${'x'.repeat(12 * 1024)}`],
      ['duplicated, both forged', () => `connect.sid=s%3Aevil.x; connect.sid=s%3A${id()}.x`],
      ['that is empty', () => 'connect.sid='],
      ['of a session that an attacker made up', () => `connect.sid=s%3Aevil.evil`],
    ])('should give a new session or be rejected: a cookie %s', (_name, cookie) =>
      expectNewVisitor(cookie()),
    );

    it('should be ignored or rejected with a raw NUL or line break', async () => {
      for (const bad of ['\0', '\r', '\x01']) {
        const socket = connect(stack.nginx.port, '127.0.0.1');
        socket.write(
          `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: connect.sid=${bad}x\r\n\r\n`,
        );
        expect(await text(socket)).toMatch(/^HTTP\/1\.1 (200|400)/);
      }
    });

    it('should not create a session under the ID that it carries, even if its signature is valid', async () => {
      const chosen = 'chosen-by-the-attacker';
      const reply = await send(`${stack.url}/`, {
        headers: { cookie: `connect.sid=${signed(chosen)}` },
      });
      expect(reply.headers['set-cookie']?.[0]).not.toContain(chosen);
      const exists = await inRedis(stack.topology.url, (redis) =>
        redis.exists(`sess:${inKeys(chosen)}`),
      );
      expect(exists).toBe(0);
    });

    it('should never cause a server error or open another session, regardless of its value', async () => {
      const value = fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }).map(encodeURIComponent),
        fc.string().map((id) => `s:${id}`),
        fc.string().map((id) => signed(id, 'another-secret-of-32-characters!')),
        fc.nat(200).map((at) => `${signed(id()).slice(0, at)}x${signed(id()).slice(at + 1)}`),
      );
      const cookies = fc.array(fc.tuple(fc.constantFrom('connect.sid', 'other', ''), value), {
        minLength: 1,
        maxLength: 3,
      });
      await fuzz(
        fc.asyncProperty(cookies, async (pairs) => {
          const cookie = pairs
            .map(([name, content]) => `${name}=${content}`)
            .join('; ')
            .replaceAll(/[^\t\x20-\x7e]/g, '');
          fc.pre(!cookie.includes(signed(id())));
          await expectNewVisitor(cookie);
        }),
      );
    });
  });

  describe('a second cookie of the same name', () => {
    const signedByOther = () => signed('theirs', 'the-secret-of-another-program-here');
    /** Ada's next view, her name, and her views as the dashboard sees them. */
    async function seenBy(cookie: string) {
      const headers = { cookie, accept: 'application/json' };
      const view = await send(`${stack.url}/`, { headers });
      const me = await send(`${stack.url}/me`, { headers });
      const dashboard = await send(`${stack.url}/dashboard/session`, { headers });
      expect(view.headers['set-cookie']).toBeUndefined();
      const [{ views }, { name }, there] = [view, me, dashboard].map(({ body }) =>
        JSON.parse(body),
      );
      return { views, name, there: there.views };
    }

    it.each<[string, () => string]>([
      ['of another program', signedByOther],
      ['that is unsigned', () => 'theirs'],
      ['that is quoted', () => '"s:theirs.x"'],
      ['of an ended session of ours', () => signed('ended')],
    ])('should cost a visitor nothing, before or after ours: a cookie %s', async (_name, value) => {
      const ours = `connect.sid=${signed(sessionIdOf(ada))}`;
      const theirs = `connect.sid=${value()}`;
      const seen = [`${theirs}; ${ours}`, `${ours}; ${theirs}`, `a=b; ${theirs};${ours}; c=d`];
      for (const [i, cookie] of seen.entries()) {
        expect(await seenBy(cookie)).toEqual({ views: i + 2, name: 'Ada', there: i + 2 });
      }
    });

    it('should not take part if two sessions of ours exist: the first one is used', async () => {
      const eve = new Shopper(stack.url);
      await eve.logIn('Eve');
      const [first, second] = [ada, eve].map((one) => `connect.sid=${signed(sessionIdOf(one))}`);
      expect(await seenBy(`${first}; ${second}`)).toEqual({ views: 2, name: 'Ada', there: 2 });
      expect(await seenBy(`${second}; ${first}`)).toEqual({ views: 1, name: 'Eve', there: 1 });
    });
  });

  it('should survive any request body without a server error or corrupt data', async () => {
    const body = fc.oneof(
      fc.string().map((raw) => raw),
      fc.json(),
      fc.record({ name: fc.jsonValue() }).map((value) => JSON.stringify(value)),
      fc
        .record({ item: fc.jsonValue(), quantity: fc.jsonValue() })
        .map((value) => JSON.stringify(value)),
      fc
        .record({
          item: fc.string({ unit: 'binary' }),
          quantity: fc.integer({ min: -5, max: 120 }),
        })
        .map((value) => JSON.stringify(value)),
      fc.constantFrom(
        '{"__proto__":{"name":"Eve"}}',
        '{"constructor":{"prototype":{"name":"Eve"}},"item":"x","quantity":1}',
        '{"item":"x","quantity":1,"__proto__":{"admin":true}}',
      ),
    );
    const path = fc.constantFrom('/login', '/cart', '/dashboard/nickname');
    await fuzz(
      fc.asyncProperty(path, body, async (to, content) => {
        const eve = new Shopper(stack.url);
        const headers = { 'content-type': 'application/json' };
        const reply = await eve.send(to, { method: 'POST', headers, body: content });
        expect([200, 400, 413, 422]).toContain(reply.status);
        const cart = await eve.cart();
        for (const quantity of Object.values(cart)) {
          expect(quantity).toBeGreaterThanOrEqual(1);
          expect(quantity).toBeLessThanOrEqual(99);
        }
      }),
    );
    expect(await ada.me()).toMatchObject({ name: 'Ada', views: 1, cart: {} });
  });

  describe('another site', () => {
    const writes: [method: string, path: string, body?: object][] = [
      ['POST', '/login', { name: 'Eve' }],
      ['POST', '/logout'],
      ['POST', '/cart', { item: 'bomb', quantity: 1 }],
      ['DELETE', '/cart/tea'],
      ['DELETE', '/data'],
      ['POST', '/dashboard/nickname', { nickname: 'Eve' }],
      ['GET', '/'],
    ];
    const sending = (method: string, body: object | undefined, more: Record<string, string>) => ({
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...more },
      ...(body && { body: JSON.stringify(body) }),
    });
    const host = () => new URL(stack.url).host;

    it.each<[string, () => Record<string, string>]>([
      ['Sec-Fetch-Site: cross-site', () => ({ 'sec-fetch-site': 'cross-site' })],
      ['another port of this machine', () => ({ 'sec-fetch-site': 'same-site' })],
      ['a subdomain of this site', () => ({ origin: `http://evil.${host()}` })],
      ['a foreign Origin', () => ({ origin: 'http://evil.example' })],
      ['the same host on another port', () => ({ origin: 'http://localhost:1' })],
      ['Origin: null', () => ({ origin: 'null' })],
      ['an invalid Origin', () => ({ origin: 'x' })],
      [
        'a foreign Origin and a matching Host',
        () => ({ origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' }),
      ],
    ])('should not be able to change anything: %s', async (_name, headers) => {
      await ada.add('tea');
      const before = await ada.me();
      for (const [method, path, body] of writes) {
        const reply = await ada.copy().send(path, sending(method, body, headers()));
        expect(reply.status, `${method} ${path}`).toBe(403);
        expect(reply.headers['content-type']).toContain('application/problem+json');
        expect(JSON.parse(reply.body).detail).toBe(
          `Only a page of http://${host()} can send this request.`,
        );
        expect(reply.headers['set-cookie']).toBeUndefined();
      }
      expect(await ada.me()).toEqual(before);
    });

    it.each<[string, () => Record<string, string>]>([
      ['curl', () => ({})],
      ['the page itself', () => ({ origin: `http://${host()}`, 'sec-fetch-site': 'same-origin' })],
      [
        'the page itself, if a proxy has changed Host',
        () => ({ origin: 'https://shop.example', 'sec-fetch-site': 'same-origin' }),
      ],
      ['a browser that sends no Sec-Fetch-Site', () => ({ origin: `http://${host()}` })],
      ['the address bar', () => ({ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' })],
    ])('should not be confused with %s', async (_name, headers) => {
      for (const [method, path, body] of writes) {
        const reply = await new Shopper(stack.url).send(path, sending(method, body, headers()));
        expect(reply.status, `${method} ${path}`).toBeLessThan(300);
      }
    });

    it.each([
      ['https', 'shop.example', 'https://shop.example', 200],
      ['https', 'shop.example:443', 'https://shop.example', 200],
      ['https', 'shop.example', 'https://shop.example:443', 200],
      ['http', 'shop.example:80', 'http://shop.example', 200],
      ['https', 'shop.example:8443', 'https://shop.example:8443', 200],
      ['https', 'shop.example', 'http://shop.example', 403],
      ['http', 'shop.example', 'https://shop.example', 403],
      ['https', 'shop.example', 'https://shop.example:8443', 403],
      ['https', 'shop.example', 'https://shop.example.evil.example', 403],
      ['https', 'not a host', 'null', 403],
    ])('should be told from %s://%s by Origin: %s → %i', async (scheme, name, origin, status) => {
      const headers = { 'x-forwarded-proto': scheme, 'x-forwarded-host': name, origin };
      const direct = new Shopper(`http://127.0.0.1:${stack.instances[0]?.port}`);
      expect((await direct.post('/cart', { item: 'tea', quantity: 1 }, { headers })).status).toBe(
        status,
      );
    });

    it('should be able to link to this site', async () => {
      const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
      expect((await send(`${stack.url}/`, { headers })).status).toBe(200);
    });
  });

  it('should get security headers with every reply, which allow no inline script or style', async () => {
    for (const path of ['/', '/data', '/cart', '/nothing', '/dashboard/session']) {
      const { headers } = await send(stack.url + path);
      const policy = headers['content-security-policy'];
      expect(policy, path).toContain("default-src 'self'");
      expect(policy, path).not.toContain('unsafe-inline');
      expect(headers['x-content-type-options'], path).toBe('nosniff');
      expect(headers['x-powered-by'], path).toBeUndefined();
      expect(headers.server, path).toBe('nginx');
    }
  });

  it('should have a Secure cookie behind TLS, but only if the trusted proxy says so', async () => {
    const direct = `http://127.0.0.1:${stack.instances[0]?.port}/`;
    const https = { 'x-forwarded-proto': 'https' };
    expect((await send(direct, { headers: https })).headers['set-cookie']?.[0]).toContain(
      '; Secure',
    );
    expect((await send(direct)).headers['set-cookie']?.[0]).not.toContain('Secure');
    // a client of nginx is not a trusted proxy
    const spoofed = await send(`${stack.url}/`, { headers: { ...https, host: 'evil.example' } });
    expect(spoofed.status).toBe(200);
    expect(spoofed.headers['set-cookie']?.[0]).not.toContain('Secure');
    expect(JSON.stringify(spoofed.headers)).not.toContain('evil');
  });
});

describe('secret rotation', () => {
  it('should lose no session over 20 views that alternate between old and new instances', async () => {
    const [older, newer] = [
      'the-older-secret-of-32-characters',
      'the-newer-secret-of-32-characters',
    ];
    const secrets: Record<string, string> = {
      'app-1': `${older},${newer}`,
      'app-2': `${newer},${older}`,
      dashboard: `${newer},${older}`,
    };
    await using stack = await Stack.start({
      scale: 2,
      env: (name) => ({ ...process.env, SESSION_SECRET: secrets[name] }),
    });
    const signers = new Set<unknown>();
    for (const _ of range(1, 4)) {
      const ada = new Shopper(stack.url);
      const login = await ada.logIn('Ada');
      signers.add(login.headers['x-instance']);
      const seen = await ada.viewInTurn(20);
      expect(seen.map(({ views }) => views)).toEqual(range(1, 20));
      expect(new Set(seen.map(({ instance }) => instance)).size).toBe(2);
      const { body } = await ada.send('/dashboard/session');
      expect(JSON.parse(body)).toMatchObject({ name: 'Ada', views: 20 });
    }
    expect(signers).toEqual(new Set(['app-1', 'app-2']));
  });
});
