// Settings of the scripts, passed as `-e NAME=VALUE`.

/** Address of the site. */
export const BASE_URL = (__ENV.BASE_URL || 'http://localhost:8080').replace(/\/$/, '');

/** Settings that every script has. `SETTINGS` lists the names that were passed with `-e`. */
const COMMON = ['BASE_URL', 'INSTANCES', 'RESULTS', 'SETTINGS', 'PRESENTER_KEY'];

/**
 * Reads the settings of a script: whole numbers, and durations such as `30s`, `10m` or `1h`, which
 * are returned in seconds.
 *
 * @param defaults by name
 * @throws if a value is invalid, or if a name was misspelled
 */
export function settings<Name extends string>(
  defaults: Record<Name, number | string>,
): Record<Name, number> {
  refuseMisspelled([...COMMON, ...Object.keys(defaults)]);
  const read = Object.entries<number | string>(defaults).map(([name, fallback]) => {
    const text = __ENV[name] || String(fallback);
    return [name, typeof fallback === 'number' ? wholeNumber(name, text) : seconds(name, text)];
  });
  return Object.fromEntries(read);
}

function wholeNumber(name: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new Error(`${name}=${text}: use a whole number, for example ${name}=10`);
}

function seconds(name: string, text: string): number {
  const [, number, unit] = /^(\d+)(s|m|h)$/.exec(text) ?? [];
  if (Number(number)) return Number(number) * { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h'];
  throw new Error(`${name}=${text}: use a duration, for example ${name}=30s, 10m or 1h`);
}

/**
 * `npm run loadtest` passes the names after `-e`, so any unknown one is found. k6 alone mixes them
 * with all environment variables: then only a name that is nearly one of ours is found.
 */
function refuseMisspelled(known: string[]): void {
  const passed = (__ENV.SETTINGS || '').split(',').filter(Boolean);
  const similar = Object.keys(__ENV).filter((name) => known.some((one) => isTypo(name, one)));
  const [wrong] = [...passed, ...similar].filter((name) => !known.includes(name));
  if (wrong === undefined) return;
  throw new Error(`${wrong} is not a setting of this script. It has ${known.sort().join(', ')}`);
}

/** True if one character is missing, added or wrong, or two neighbors have changed places. */
function isTypo(name: string, known: string): boolean {
  const [shorter, longer] = [name, known].sort((a, b) => a.length - b.length) as [string, string];
  if (shorter.length < 5 || longer.length - shorter.length > 1) return false;
  let same = 0;
  while (same < shorter.length && shorter[same] === longer[same]) same += 1;
  const rest = shorter.slice(same);
  if (longer.length > shorter.length) return rest === longer.slice(same + 1);
  const isSwapped = longer[same] === rest[1] && longer[same + 1] === rest[0];
  return (
    rest.slice(1) === longer.slice(same + 1) ||
    (isSwapped && rest.slice(2) === longer.slice(same + 2))
  );
}
