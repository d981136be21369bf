import { expect } from 'vitest';
import { type Reply, Visitor } from '../../tools/lib/visitor.ts';

/** A visitor that logs in and fills a cart. */
export class Shopper extends Visitor {
  async logIn(name: string): Promise<Reply> {
    return this.post('/login', { name });
  }

  async logOut(): Promise<Reply> {
    return this.send('/logout', { method: 'POST' });
  }

  async add(item: string, quantity = 1): Promise<Reply> {
    return this.post('/cart', { item, quantity });
  }

  async cart(): Promise<Record<string, number>> {
    const reply = await this.send('/cart');
    expect(reply.status).toBe(200);
    return JSON.parse(reply.body);
  }

  /** The reply of `GET /me`; `undefined` without a login. */
  async me(): Promise<Record<string, unknown> | undefined> {
    const reply = await this.send('/me');
    expect([200, 401]).toContain(reply.status);
    return reply.status === 200 ? JSON.parse(reply.body) : undefined;
  }

  /** Another visitor with the current cookies of this one. */
  copy(): Shopper {
    const copy = new Shopper(this.url);
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }
}

/** The session id in the signed cookie of a visitor: `s:<id>.<signature>`. */
export function sessionIdOf(visitor: Visitor, name = 'connect.sid'): string {
  const value = decodeURIComponent(visitor.cookies.get(name) ?? '');
  return /^s:([^.]+)\./.exec(value)?.[1] ?? '';
}

/** The id of a session as its keys in Redis have it. */
export function inKeys(id: string): string {
  return `{${id.slice(0, 8)}}${id.slice(8)}`;
}
