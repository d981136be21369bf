import { check } from 'k6';
import { field, send } from './site.ts';

/** What the session of a visitor holds. */
export interface Me {
  name: unknown;
  views: unknown;
  cart: unknown;
}

export function logIn(name: string): void {
  const { status } = send('POST', '/login', 'login', { name });
  check(status, { 'a visitor logs in': () => status === 200 });
}

/** Adds one piece to the cart. */
export function buy(item: string): void {
  const { status } = send('POST', '/cart', 'cart', { item, quantity: 1 });
  check(status, { 'the cart takes an item': () => status === 200 });
}

export function whoAmI(): Me {
  const response = send('GET', '/me', 'me');
  return {
    name: field(response, 'name'),
    views: field(response, 'views'),
    cart: field(response, 'cart'),
  };
}

/** True if the session ended. */
export function logOut(): boolean {
  return send('POST', '/logout', 'logout').status === 204;
}
