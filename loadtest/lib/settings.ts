// What can be said with -e NAME=VALUE, and what holds where nothing is said.

/** Where the site is. */
export const BASE_URL = (__ENV.BASE_URL || 'http://localhost:8080').replace(/\/$/, '');

/** A whole number above 0. Throws where it is none. */
export function wholeNumber(name: string, fallback: number): number {
  const text = __ENV[name] || String(fallback);
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`${name}=${text}: wants a whole number above 0`);
  return Number(text);
}

/** Seconds of a setting such as `30s` or `10m`. Throws where it is none. */
export function seconds(name: string, fallback: string): number {
  const text = __ENV[name] || fallback;
  const [, number, unit] = /^(\d+)(s|m|h)$/.exec(text) ?? [];
  if (!Number(number)) throw new Error(`${name}=${text}: wants a duration such as 30s, 10m or 1h`);
  return Number(number) * { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h'];
}
