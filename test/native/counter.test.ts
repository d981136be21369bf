import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { send, Visitor } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { proveContinuity, proveNothingLost } from '../support/proofs.ts';
import { inKeys, sessionIdOf } from '../support/shop.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe('the view counter', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ env: { ...process.env, SESSION_TTL_SECONDS: '1000' } });
  });
  afterAll(() => stack?.close());

  it('should go on from 1 to 30 while the instance changes', () => proveContinuity(stack.url));

  it('should count 200 views at once as exactly 200', () => proveNothingLost(stack.url));

  it('should answer curl and k6 with text', async () => {
    const reply = await send(`${stack.url}/`, { headers: { accept: '*/*' } });
    expect(reply.body).toBe('Views: 1');
    expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect((await send(`${stack.url}/`)).body).toBe('Views: 1');
  });

  it('should answer a browser with a page that counts nothing', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.view();
    const reply = await visitor.send('/', { headers: { accept: BROWSER } });
    expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
    expect((await visitor.view()).views).toBe(2);
  });

  it('should answer JSON with the instance and a hash of the session ID', async () => {
    const visitor = new Visitor(stack.url);
    const seen = await visitor.view();
    const hash = createHash('sha256').update(sessionIdOf(visitor)).digest('hex');
    expect(seen).toEqual({
      views: 1,
      instance: expect.stringMatching(/^app-[123]$/),
      session: hash.slice(0, 8),
    });
  });

  it('should answer with the new count, regardless of If-None-Match', async () => {
    const visitor = new Visitor(stack.url);
    for (const [i, accept] of ['application/json', 'text/plain', '*/*'].entries()) {
      const headers = { accept, 'if-none-match': '*' };
      const { status, body } = await visitor.send('/', { headers });
      expect(status, accept).toBe(200);
      expect(body, accept).toMatch(new RegExp(`\\b${i + 1}\\b`));
    }
  });

  it.each([
    '/',
    '/data',
    '/data/%ff',
    '/cart/%ff',
    '/nothing',
    '/dashboard/assets/x/y',
    '/livez',
    '/me',
  ])('should name the instance and the request ID in the reply to %s', async (path) => {
    const { headers } = await send(stack.url + path);
    const instance = path.startsWith('/dashboard') ? /^dashboard$/ : /^app-[123]$/;
    expect(headers['x-instance']).toMatch(instance);
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('should forbid every cache to store the number', async () => {
    expect((await send(`${stack.url}/`)).headers['cache-control']).toBe('no-store');
  });

  it('should set its cookie once, and hide it from scripts and other sites', async () => {
    const visitor = new Visitor(stack.url);
    const [cookie] = (await visitor.send()).headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^connect\.sid=s%3A[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
    expect((await visitor.send()).headers['set-cookie']).toBeUndefined();
  });

  it('should extend the TTL of the session and its counter with each view', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.view();
    const id = inKeys(sessionIdOf(visitor));
    const keys = [`sess:${id}`, `views:${id}`];
    await inRedis(stack.topology.url, async (redis) => {
      for (const key of keys) await redis.expire(key, 10);
      await visitor.view();
      for (const key of keys) expect(await redis.ttl(key)).toBeGreaterThan(990);
    });
  });

  it('should start from 1 with a new session ID if the session has ended', async () => {
    const visitor = new Visitor(stack.url);
    await visitor.viewInTurn(3);
    const id = sessionIdOf(visitor);
    await inRedis(stack.topology.url, (redis) => redis.del(`sess:${inKeys(id)}`));
    expect((await visitor.view()).views).toBe(1);
    expect(sessionIdOf(visitor)).not.toBe(id);
    expect((await visitor.view()).views).toBe(2);
  });

  it('should count each visitor separately', async () => {
    await new Visitor(stack.url).viewInTurn(2);
    expect((await new Visitor(stack.url).view()).views).toBe(1);
  });

  it('should continue after Redis was emptied and an instance was added', async () => {
    await inRedis(stack.topology.url, async (redis) => {
      await redis.flushAll();
      // Within a second, an instance that knows the secret stores it again.
      await eventually(async () => expect(await redis.exists('secret:session')).toBe(1));
    });
    await stack.scale(4);
    try {
      const seen = await new Visitor(stack.url).viewInTurn(12);
      expect(seen.map(({ views }) => views)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      expect(new Set(seen.map(({ instance }) => instance)).size).toBe(4);
    } finally {
      await stack.scale(3);
    }
  });
});

describe('the cookie', () => {
  it('should be named by SESSION_COOKIE_NAME', async () => {
    await using stack = await Stack.start({
      env: { ...process.env, SESSION_COOKIE_NAME: 'visit' },
    });
    const visitor = new Visitor(stack.url);
    await visitor.viewInTurn(4);
    expect([...visitor.cookies.keys()]).toEqual(['visit']);
    expect((await visitor.view()).views).toBe(5);
  });

  it('should be signed with the first secret of SESSION_SECRET', async () => {
    const secret = 'a-secret-of-more-than-32-characters';
    const env = { ...process.env, SESSION_SECRET: `${secret},another-one-of-32-characters-too!` };
    await using stack = await Stack.start({ env });
    const visitor = new Visitor(stack.url);
    await visitor.view();
    const value = decodeURIComponent(visitor.cookies.get('connect.sid') ?? '');
    const signature = createHmac('sha256', secret).update(sessionIdOf(visitor)).digest('base64');
    expect(value).toBe(`s:${sessionIdOf(visitor)}.${signature.replace(/=+$/, '')}`);
  });
});
