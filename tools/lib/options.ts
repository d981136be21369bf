import { z } from 'zod';
import { quoted, UsageError } from './errors.mjs';

/** @throws {UsageError} if the value of an option is not one of the known names */
export function assertKnown(option: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  throw new UsageError(`\`${option}\` knows no ${quoted(name)}; choose from ${known.join(', ')}.`);
}

/**
 * Selects items by the values of `--only`: names separated by commas. All items if it is empty.
 *
 * @param sets names for several items
 * @throws {UsageError} if there is no item or set of a name
 */
export function chooseByName<T extends { name: string }>(
  only: string[],
  items: readonly T[],
  sets: Record<string, readonly string[]> = {},
): T[] {
  const given = only.flatMap((text) => text.split(',')).filter(Boolean);
  const known = [...items.map(({ name }) => name), ...Object.keys(sets)];
  for (const name of given) assertKnown('--only', name, known);
  const names = given.flatMap((name) => sets[name] ?? name);
  return items.filter(({ name }) => names.length === 0 || names.includes(name));
}

/** @throws {UsageError} if the value of an option is not a whole number from `min` to `max` */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  const expected = `a whole number from ${min} to ${max}`;
  throw new UsageError(`\`${option}\` expects ${expected}, not ${quoted(text)}.`);
}

const addressRange = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);

/** @throws {UsageError} if a setting is not a list of IP addresses and CIDR ranges */
export function addressRanges(setting: string, text: string): string[] {
  if (text === '') return [];
  const ranges = text.split(',').map((range) => range.trim());
  if (ranges.every((range) => addressRange.safeParse(range).success)) return ranges;
  const allowed = 'must be IP addresses or CIDR ranges, separated by commas';
  throw new UsageError(`${setting}=${quoted(text)}: ${allowed}`);
}
