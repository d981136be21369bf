import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keysOf } from '../../tools/lib/redis-client.ts';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { inKeys, Shopper, sessionIdOf } from '../support/shop.ts';

describe('login and logout', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack?.close());
  const newShopper = () => new Shopper(stack.url);
  const keysWith = async (id: string) =>
    (await keysOf(stack.topology.url)).filter((key) => key.includes(inKeys(id)));

  it('should return the name and the time of the login on every instance', async () => {
    const ada = newShopper();
    const from = Date.now();
    const reply = await ada.logIn('  Ada Lovelace ');
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toEqual({ name: 'Ada Lovelace' });
    for (const _ of range(1, 3)) {
      const me = await ada.me();
      expect(me).toEqual({ name: 'Ada Lovelace', since: expect.any(String), views: 0, cart: {} });
      expect(Date.parse(String(me?.since))).toBeGreaterThanOrEqual(from);
      expect(Date.parse(String(me?.since))).toBeLessThanOrEqual(Date.now());
    }
  });

  it('should answer 401 with a challenge to a visitor without a login', async () => {
    const reply = await newShopper().send('/me');
    expect(reply.status).toBe(401);
    expect(reply.headers['www-authenticate']).toBeDefined();
    expect(reply.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  });

  it('should keep views and cart at login, under a new session ID', async () => {
    const ada = newShopper();
    await ada.viewInTurn(3);
    await ada.add('tea', 2);
    const before = sessionIdOf(ada);
    await ada.logIn('Ada');
    expect(sessionIdOf(ada)).not.toBe(before);
    expect(sessionIdOf(ada)).toHaveLength(32);
    expect(sessionIdOf(ada).slice(0, 8)).toBe(before.slice(0, 8)); // one slot of a cluster
    expect(await ada.me()).toMatchObject({ name: 'Ada', views: 3, cart: { tea: 2 } });
    expect((await ada.view()).views).toBe(4);
    expect(await keysWith(before)).toEqual([`replaced:${inKeys(before)}`]);
  });

  it('should invalidate the session ID from before the login (session fixation)', async () => {
    const ada = newShopper();
    await ada.add('tea');
    const attacker = ada.copy();
    await ada.logIn('Ada');
    expect((await attacker.send('/me')).status).toBe(409);
    expect((await attacker.add('bomb')).status).toBe(409);
    expect(await ada.cart()).toEqual({ tea: 1 });
    // the same at the next login
    const second = ada.copy();
    await ada.logIn('Countess');
    expect((await second.send('/me')).status).toBe(409);
    expect(await ada.me()).toMatchObject({ name: 'Countess', cart: { tea: 1 } });
  });

  it('should leave no data on any instance after a logout', async () => {
    const ada = newShopper();
    await ada.logIn('Ada');
    await ada.view();
    await ada.add('tea');
    const old = ada.copy();
    const id = sessionIdOf(ada);
    const reply = await ada.logOut();
    expect(reply.status).toBe(204);
    expect(ada.cookies.get('connect.sid')).toBe(''); // the browser drops the cookie
    for (const _ of range(1, 3)) {
      expect(await old.me()).toBeUndefined();
      expect(await old.cart()).toEqual({});
    }
    expect((await old.view()).views).toBe(1);
    expect(await keysWith(id)).toEqual([]);
  });

  it('should answer 204 to a logout without a session, and store nothing', async () => {
    const before = await keysOf(stack.topology.url);
    expect((await newShopper().logOut()).status).toBe(204);
    expect(await keysOf(stack.topology.url)).toEqual(before);
  });

  it('should not let a concurrent request restore a session after its logout', async () => {
    for (const _ of range(1, 10)) {
      const ada = newShopper();
      await ada.logIn('Ada');
      const id = sessionIdOf(ada);
      const others = range(1, 30).map(async (i) => {
        const other = ada.copy();
        const reply = i % 2 ? await other.send('/') : await other.add(`item ${i}`);
        return { reply, id: sessionIdOf(other) };
      });
      expect((await ada.copy().logOut()).status).toBe(204);
      for (const { reply } of await Promise.all(others)) {
        // before the logout, after it as a new visitor, or during it
        expect([200, 409]).toContain(reply.status);
        if (reply.status === 409) expect(reply.headers['set-cookie']).toBeUndefined();
      }
      expect(await keysWith(id)).toEqual([]);
      expect(await ada.me()).toBeUndefined();
    }
  });

  it('should keep the login and each acknowledged item if one browser sends requests during the login', async () => {
    for (const _ of range(1, 10)) {
      const ada = newShopper(); // one cookie jar: each reply may replace its cookie
      await ada.view();
      let loggedIn = false;
      const added: string[] = [];
      const others = range(1, 6).map(async (connection) => {
        for (let i = 1; !loggedIn || i <= 3; i += 1) {
          const item = `${connection}/${i}`;
          const { status } = await ada.add(item);
          expect([200, 409, 422]).toContain(status); // 422: the cart is full
          if (status === 200) added.push(item);
          expect((await ada.send('/')).headers['set-cookie']).toBeUndefined();
        }
      });
      const logIn = async () => {
        expect((await ada.logIn('Ada')).status).toBe(200);
        loggedIn = true;
      };
      await Promise.all([logIn(), ...others]);
      expect(await ada.me()).toMatchObject({ name: 'Ada' });
      expect(Object.keys(await ada.cart()).sort()).toEqual(added.sort());
    }
  });

  it('should answer 409 to requests with the cookie from before a login, and change nothing', async () => {
    const ada = newShopper();
    await ada.add('tea');
    const late = ada.copy();
    await ada.logIn('Ada');
    const replies = [
      await late.send('/'),
      await late.add('milk'),
      await late.send('/cart/tea', { method: 'DELETE' }),
      await late.logOut(),
      await late.logIn('Ada'),
      await late.post('/dashboard/nickname', { nickname: 'A' }),
      await late.send('/cart'),
      await late.send('/me'),
      await late.send('/dashboard/session'),
    ];
    for (const { status, headers } of replies) {
      expect(status).toBe(409);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect(await ada.me()).toMatchObject({ name: 'Ada', cart: { tea: 1 } });
  });

  it('should not report a logout while a concurrent login keeps the cart', async () => {
    for (const _ of range(1, 40)) {
      const ada = newShopper();
      await ada.add('tea');
      const leaving = ada.copy();
      const [login, logout] = await Promise.all([ada.logIn('Ada'), leaving.logOut()]);
      // the login first; or the logout first, and then the login fails or starts with an empty cart
      const isFirst = logout.status === 409;
      expect(isFirst ? [200] : [200, 409]).toContain(login.status);
      if (!isFirst) expect(logout.status).toBe(204);
      if (login.status === 200) expect(await ada.cart()).toEqual(isFirst ? { tea: 1 } : {});
    }
  });

  it('should not let a concurrent request restore the session from before the login', async () => {
    for (const _ of range(1, 10)) {
      const ada = newShopper();
      await ada.view();
      const id = sessionIdOf(ada);
      const others = range(1, 30).map((i) => {
        const other = ada.copy();
        return i % 2 ? other.send('/') : other.add(`item ${i}`);
      });
      expect((await ada.logIn('Ada')).status).toBe(200);
      const replies = await Promise.all(others);
      expect(await keysWith(id)).toEqual([`replaced:${inKeys(id)}`]);
      // Acknowledged changes moved with the session. Rejected requests set no cookie.
      for (const { status, headers } of replies) {
        expect([200, 409]).toContain(status);
        expect(headers['set-cookie']).toBeUndefined();
      }
      const { views, cart } = (await ada.me()) ?? {};
      const seen = replies.filter(({ status }) => status === 200).map(({ body }) => body);
      expect(Object.keys(cart as object)).toHaveLength(
        seen.filter((body) => body.startsWith('{')).length,
      );
      expect(views).toBe(1 + seen.filter((body) => body.startsWith('Views')).length);
    }
  });

  it.each([
    [{}, 'name: '],
    [{ name: '' }, 'name: '],
    [{ name: '   ' }, 'name: '],
    [{ name: 'x'.repeat(41) }, 'name: '],
    [{ name: 7 }, 'name: '],
    [{ name: null }, 'name: '],
    [{ name: ['Ada'] }, 'name: '],
    [[], 'body: '],
  ])('should reject %j with 422 and name the field', async (body, field) => {
    const before = await keysOf(stack.topology.url);
    const reply = await newShopper().post('/login', body);
    expect(reply.status).toBe(422);
    expect(JSON.parse(reply.body).detail).toMatch(new RegExp(`^${field}`));
    expect(reply.headers['set-cookie']).toBeUndefined();
    const after = await keysOf(stack.topology.url);
    expect(before).toEqual(expect.arrayContaining(after)); // others may expire
  });

  it.each([
    'x'.repeat(40),
    '😀'.repeat(40),
    '<script>',
    '"',
    'Zoë',
    '__proto__',
    'עדה',
    '👩\u200d💻 ❤\ufe0f',
  ])('should accept the name %j unchanged', async (name) => {
    const visitor = newShopper();
    expect((await visitor.logIn(name)).status).toBe(200);
    expect(await visitor.me()).toMatchObject({ name });
  });

  it.each([
    ['NUL', 'Ada\0'],
    ['a line break', 'Ada\nEve'],
    ['a change of direction', 'Ada\u202eevE'],
    ['a direction isolate', '\u2066Ada'],
    ['a zero-width space', 'A\u200bda'],
    ['a soft hyphen', 'A\u00adda'],
    ['an invisible tag', 'Ada\u{e0041}'],
    ['nothing but joiners', '\u200d\u200d'],
    ['nothing but a Hangul filler', '\u3164'],
    ['nothing but a blank Braille pattern', '\u2800'],
    ['nothing but a variation selector', '\ufe0f'],
  ])('should refuse a name that is not what people see: %s', async (_, name) => {
    const bodies = {
      '/login': { name },
      '/dashboard/nickname': { nickname: name },
      '/cart': { item: name, quantity: 1 },
    };
    for (const [path, body] of Object.entries(bodies)) {
      const reply = await newShopper().post(path, body);
      expect(reply.status, path).toBe(422);
      expect(JSON.parse(reply.body).detail).toContain('visible characters');
    }
  });

  it.each([16, 63, 200])('should answer a body of more than %d KB with 413', async (kilobytes) => {
    for (const path of ['/login', '/cart', '/dashboard/nickname']) {
      const headers = { 'content-type': 'application/json' };
      const body = `{"name":"${'x'.repeat(kilobytes * 1024)}"}`;
      const reply = await send(stack.url + path, { method: 'POST', headers, body });
      expect(reply.status, path).toBe(413);
      expect(reply.headers['content-type'], path).toContain('application/problem+json');
    }
  });

  it.each([
    ['application/json', '{', 400],
    ['application/json', 'name=Ada', 400],
    ['application/json', '"Ada"', 400],
    ['text/plain', '{"name":"Ada"}', 415],
    ['application/x-www-form-urlencoded', 'name=Ada', 415],
    ['application/json; charset=ebcdic', '{"name":"Ada"}', 415],
  ])('should answer a body of type %s, %j, with %d', async (type, body, status) => {
    for (const path of ['/login', '/cart', '/dashboard/nickname']) {
      const headers = { 'content-type': type };
      const reply = await send(stack.url + path, { method: 'POST', headers, body });
      expect(reply.status, path).toBe(status);
      expect(reply.headers['content-type'], path).toContain('application/problem+json');
    }
  });
});
