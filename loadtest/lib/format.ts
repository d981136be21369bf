// Figures as a reader wants them.
import type { Metric } from './summary-data.ts';

/** Rounds to so many significant digits, without an exponent. */
function significant(n: number, digits: number): string {
  if (n === 0) return '0';
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(n))));
  return String(Number(n.toFixed(Math.min(places, 20))));
}

/** A time in milliseconds: `456µs`, `1.23ms`, `2.1s`, `1m3s`, `1h2m`. */
export function duration(ms: number): string {
  if (ms === 0) return '0s';
  if (Math.abs(ms) < 0.9995) return `${significant(ms * 1000, 3)}µs`;
  if (Math.abs(ms) < 999.5) return `${significant(ms, 3)}ms`;
  if (Math.abs(ms) < 59_950) return `${significant(ms / 1000, 3)}s`;
  const s = Math.round(ms / 1000);
  const m = Math.floor(s / 60);
  return m < 60 ? `${m}m${s % 60}s` : `${Math.floor(m / 60)}h${m % 60}m`;
}

/** A number: whole as it is, or with two digits behind the point, or three significant ones. */
export function count(n: number): string {
  return Math.abs(n) < 1 ? significant(n, 3) : String(Number(n.toFixed(2)));
}

/** A part of one: `99.95%`. Only what is all is 100%, and only what is nothing 0%. */
export function percent(rate: number): string {
  const rounded = (100 * rate).toFixed(2);
  if (rate < 1 && rounded === '100.00') return '99.99%';
  if (rate > 0 && rounded === '0.00') return '0.01%';
  return `${rounded}%`;
}

/** An amount of data: `512 B`, `1.2 kB`, `3.4 MB`. */
export function bytes(n: number): string {
  if (n < 999.5) return `${significant(n, 3)} B`;
  if (n < 999_500) return `${significant(n / 1000, 3)} kB`;
  return `${significant(n / 1_000_000, 3)} MB`;
}

/** The value that a threshold judges, or a summary shows, such as `p(95)` of a metric: `12.3ms`. */
export function valueOfMetric(stat: string, { type, contains, values }: Metric): string {
  const value = values[stat];
  if (typeof value !== 'number') return '–';
  if (type === 'rate' && stat === 'rate') return percent(value);
  const perSecond = type === 'counter' && stat === 'rate' ? '/s' : '';
  const format = { time: duration, data: bytes, default: count }[contains];
  return format(value) + perSecond;
}

/** The figure that a threshold is about: `p(95)` of `p(95)<200`. */
export function statOf(threshold: string): string {
  return /^\s*([a-z]+(?:\([\d.]+\))?)/.exec(threshold)?.[1] ?? '';
}
