import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { Shopper } from '../support/shop.ts';

describe('the dashboard, another application with the same sessions', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());

  it('should greet by name, with views and things of the other application', async () => {
    const ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    await ada.viewInTurn(7);
    await ada.add('tea', 2);
    const reply = await ada.send('/dashboard/session');
    expect(reply.body).toBe('Hello Ada, 7 views, 2 things in your cart');
    expect(reply.headers['x-instance']).toBe('dashboard');
    expect((await ada.view()).views).toBe(8); // a greeting is no view
  });

  it('should greet a stranger, and somebody who has not logged in', async () => {
    const stranger = new Shopper(stack.url);
    expect((await stranger.send('/dashboard/session')).body).toBe('Hello stranger');
    await stranger.view();
    expect((await stranger.send('/dashboard/session')).body).toBe('Hello stranger');
  });

  it('should share a nickname with the other application, past the next login', async () => {
    const ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    const reply = await ada.post('/dashboard/nickname', { nickname: ' Countess ' });
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toEqual({ nickname: 'Countess' });
    expect(await ada.me()).toMatchObject({ name: 'Ada', nickname: 'Countess' });
    await ada.logIn('Ada');
    expect(await ada.me()).toMatchObject({ nickname: 'Countess' });
    await ada.logOut();
    expect((await ada.send('/dashboard/session')).body).toBe('Hello stranger');
  });

  it('should lose nothing where both applications write at once', async () => {
    const ada = new Shopper(stack.url);
    await ada.logIn('Ada');
    const replies = await Promise.all(
      range(1, 30).flatMap((i) => [
        ada.copy().add(`item ${i}`),
        ada.copy().post('/dashboard/nickname', { nickname: `nick ${i}` }),
        ada.copy().send('/'),
      ]),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    const me = await ada.me();
    expect(me).toMatchObject({ name: 'Ada', views: 30, nickname: expect.stringMatching(/^nick /) });
    expect(Object.keys(me?.cart as object)).toHaveLength(30);
  });

  it('should refuse a nickname that is none', async () => {
    const reply = await new Shopper(stack.url).post('/dashboard/nickname', { nickname: '' });
    expect(reply.status).toBe(422);
    expect(JSON.parse(reply.body).detail).toMatch(/^nickname: /);
  });

  it('should be missed by nobody but those who ask for it', async () => {
    await stack.dashboard.kill();
    const reply = await send(`${stack.url}/dashboard/session`);
    expect(reply.status).toBe(502);
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect((await send(`${stack.url}/`)).status).toBe(200);
    expect((await send(`${stack.url}/dashboards`)).headers['x-instance']).toMatch(/^app-/);
    await stack.dashboard.start();
    expect((await send(`${stack.url}/dashboard/session`)).body).toBe('Hello stranger');
  });
});
