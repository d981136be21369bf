import { parseCookie } from 'cookie';
import { unsign } from 'cookie-signature';

/** Cookies of one name whose signatures are checked, so that a long header costs little. */
const MAX_CHECKED = 10;

/**
 * The cookies of a name in a Cookie header whose signatures verify, as `name=value` by session id.
 * A browser also sends cookies of this name that other programs of the host set, in any order.
 */
export function verifiedCookies(
  header: string,
  name: string,
  secrets: string[],
): Map<string, string> {
  const candidates = header
    .split(';')
    .map((pair) => [pair, parseCookie(pair)[name]] as const)
    .filter(([, value]) => value?.startsWith('s:'));
  const verified = new Map<string, string>();
  for (const [pair, value = ''] of candidates.slice(0, MAX_CHECKED)) {
    const ids = secrets.map((secret) => unsign(value.slice(2), secret));
    const id = ids.find((one) => one !== false);
    if (id !== undefined) verified.set(id, pair);
  }
  return verified;
}
