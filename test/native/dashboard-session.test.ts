import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inRedis } from '../../tools/lib/redis-client.ts';
import { type Reply, send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { Shopper } from '../support/shop.ts';

const HTML = { accept: 'text/html' };

describe('the dashboard, another application with the same sessions', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());

  async function sessionOf(visitor: Shopper) {
    const reply = await visitor.send('/dashboard/session');
    expect(reply.status).toBe(200);
    expect(reply.headers['x-instance']).toBe('dashboard');
    expect(reply.headers['cache-control']).toBe('no-store');
    return JSON.parse(reply.body);
  }

  async function setNickname(visitor: Shopper, nickname: unknown, more = {}): Promise<Reply> {
    const headers = { 'content-type': 'application/json', ...more };
    const body = JSON.stringify({ nickname });
    return visitor.send('/dashboard/nickname', { method: 'POST', headers, body });
  }

  it('should show the name, the views and the cart of the other application', async () => {
    const ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    await ada.viewInTurn(7);
    await ada.add('tea', 2);
    expect(await sessionOf(ada)).toEqual({ name: 'Ada', views: 7, cart: { tea: 2 } });
    expect((await ada.view()).views).toBe(8); // it counted nothing
  });

  it('should show a visitor who is not logged in, and nothing of a stranger', async () => {
    const stranger = new Shopper(stack.url);
    expect(await sessionOf(stranger)).toEqual({ views: 0, cart: {} });
    expect(stranger.cookies.size).toBe(0);
    await stranger.view();
    expect(await sessionOf(stranger)).toEqual({ views: 1, cart: {} });
  });

  it('should share a nickname with the other application, past the next login', async () => {
    const ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    const reply = await setNickname(ada, ' Countess ');
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toEqual({ nickname: 'Countess' });
    expect(await ada.me()).toMatchObject({ name: 'Ada', nickname: 'Countess' });
    await ada.logIn('Ada');
    expect(await ada.me()).toMatchObject({ nickname: 'Countess' });
    expect(await sessionOf(ada)).toMatchObject({ name: 'Ada', nickname: 'Countess' });
    await ada.logOut();
    expect(await sessionOf(ada)).toEqual({ views: 0, cart: {} });
  });

  it('should start a session that the other application continues', async () => {
    const visitor = new Shopper(stack.url);
    expect((await setNickname(visitor, 'Countess')).status).toBe(200);
    const { cookie } = visitor;
    expect((await visitor.viewInTurn(3)).map(({ views }) => views)).toEqual([1, 2, 3]);
    expect(visitor.cookie).toBe(cookie);
    expect(await sessionOf(visitor)).toEqual({ nickname: 'Countess', views: 3, cart: {} });
  });

  it('should lose nothing if both applications write at once', async () => {
    const ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    const replies = await Promise.all(
      range(1, 30).flatMap((i) => [
        ada.copy().add(`item ${i}`),
        setNickname(ada.copy(), `nick ${i}`),
        ada.copy().send('/'),
      ]),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    const me = await ada.me();
    expect(me).toMatchObject({ name: 'Ada', views: 30, nickname: expect.stringMatching(/^nick /) });
    expect(Object.keys(me?.cart as object)).toHaveLength(30);
    expect(await sessionOf(ada)).toMatchObject({ views: 30, cart: me?.cart });
  });

  it('should refuse a nickname that is none', async () => {
    for (const nickname of ['', ' ', 'x'.repeat(41), 7]) {
      const reply = await setNickname(new Shopper(stack.url), nickname);
      expect(reply.status).toBe(422);
      expect(JSON.parse(reply.body).detail).toMatch(/^nickname: /);
    }
  });

  it('should refuse a change that comes from another site', async () => {
    const reply = await setNickname(new Shopper(stack.url), 'x', { origin: 'http://evil.test' });
    expect(reply.status).toBe(403);
  });

  it('should be missed only by requests for it; a browser gets the app instead of the page', async () => {
    const visitor = new Shopper(stack.url);
    await visitor.view();
    for (const [isGone, comesBack] of [
      [() => stack.dashboard.kill(), () => stack.dashboard.start()],
      [() => stack.dashboard.pause(), () => stack.dashboard.resume()],
    ]) {
      await isGone?.();
      const reply = await send(`${stack.url}/dashboard/session`);
      expect([502, 504]).toContain(reply.status);
      expect(reply.headers['content-type']).toBe('application/problem+json');
      expect((await send(`${stack.url}/`)).status).toBe(200);
      expect((await send(`${stack.url}/dashboards`)).headers['x-instance']).toMatch(/^app-/);
      const page = await visitor.send('/', { headers: HTML });
      expect(page.status).toBe(200);
      expect(page.headers['x-instance']).toMatch(/^app-/);
      expect(page.body).toMatch(/^Views: [23]$/);
      await comesBack?.();
      expect(await sessionOf(visitor)).toMatchObject({ cart: {} });
      const again = await visitor.send('/', { headers: HTML });
      expect(again.headers['x-instance']).toBe('dashboard');
    }
  });

  it('should take reports of views although another program wrote to the audience', async () => {
    const ada = new Shopper(stack.url);
    await ada.view();
    await inRedis(stack.topology.url, (redis) => redis.set('{dashboard}:audience', 'junk'));
    const reply = await ada.post('/dashboard/participants', { instance: 'app-1', views: 1 });
    expect(reply.status).toBe(204);
    await inRedis(stack.topology.url, (redis) => redis.del('{dashboard}:audience'));
  });
});
