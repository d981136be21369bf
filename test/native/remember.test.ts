import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import type { Reply } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { Shopper } from '../support/shop.ts';

const TTL_MS = 6000;
/** Milliseconds: a cookie is renewed after a tenth of its life. */
const INTERVAL_MS = 600;

/** When a browser drops the cookie of a reply, in milliseconds from now; `undefined` if it is closed. */
function cookieLifeMs({ headers }: Reply): number | undefined {
  const [cookie = ''] = headers['set-cookie'] ?? [];
  expect(cookie).toMatch(/^connect\.sid=s%3A.+; Path=\/.*; HttpOnly; SameSite=Lax$/);
  const [, expires] = /; Expires=([^;]+)/.exec(cookie) ?? [];
  return expires === undefined ? undefined : Date.parse(expires) - Date.now();
}

describe('a cookie', () => {
  let stack: Stack;
  beforeAll(async () => {
    const env = { ...process.env, SESSION_TTL_SECONDS: String(TTL_MS / 1000) };
    stack = await Stack.start({ env });
  });
  afterAll(() => stack?.close());
  const logIn = async (body: object) => {
    const visitor = new Shopper(stack.url);
    return { visitor, reply: await visitor.post('/login', body) };
  };

  it.each([[{ name: 'Ada' }], [{ name: 'Ada', remember: false }]])(
    'should end with the browser after a login with %j, and be sent only once',
    async (body) => {
      const { visitor, reply } = await logIn(body);
      expect(cookieLifeMs(reply)).toBeUndefined();
      const until = Date.now() + 1.2 * INTERVAL_MS;
      await eventually(async () => {
        expect((await visitor.send('/')).headers['set-cookie']).toBeUndefined();
        expect(Date.now()).toBeGreaterThan(until);
      });
    },
  );

  it.each([['/'], ['/me'], ['/dashboard/session']])(
    'should outlive the browser with remember, and be renewed by GET %s while it is in use',
    async (path) => {
      const from = Date.now();
      const { visitor, reply } = await logIn({ name: 'Ada', remember: true });
      const life = cookieLifeMs(reply) as number;
      expect(life).toBeGreaterThan(TTL_MS - 2000); // Expires has no fractions of a second
      expect(life).toBeLessThanOrEqual(TTL_MS);
      const unused = visitor.copy();
      const renewed = await eventually(async () => {
        const next = await visitor.send(path);
        expect(next.status).toBe(200);
        expect(next.headers['set-cookie']).toHaveLength(1);
        return next;
      });
      expect(Date.now() - from).toBeGreaterThanOrEqual(INTERVAL_MS);
      expect(visitor.cookie).toBe(unused.cookie); // the same session
      expect(cookieLifeMs(renewed)).toBeGreaterThan(TTL_MS - 2000);
      for (const other of ['/', '/me', '/dashboard/session']) {
        expect((await visitor.send(other)).headers['set-cookie'], other).toBeUndefined();
      }
    },
  );

  it('should be renewed without a view that is lost or counted twice', async () => {
    const from = Date.now();
    const { visitor } = await logIn({ name: 'Ada', remember: true });
    let renewals = 0;
    for (let views = 1; renewals < 3; views += 1) {
      const { body, headers } = await visitor.send('/');
      expect(body).toBe(`Views: ${views}`);
      if (headers['set-cookie']) renewals += 1;
    }
    expect(Date.now() - from).toBeGreaterThanOrEqual(3 * INTERVAL_MS);
  });

  it('should end with the browser again after a login without remember', async () => {
    const { visitor } = await logIn({ name: 'Ada', remember: true });
    expect(cookieLifeMs(await visitor.logIn('Ada'))).toBeUndefined();
  });

  it('should not be sent after a login with another remember than true or false', async () => {
    for (const remember of ['yes', 1, null]) {
      const { reply } = await logIn({ name: 'Ada', remember });
      expect(reply.status).toBe(422);
      expect(JSON.parse(reply.body).detail).toBe('remember: must be true or false');
      expect(reply.headers['set-cookie']).toBeUndefined();
    }
  });
});
