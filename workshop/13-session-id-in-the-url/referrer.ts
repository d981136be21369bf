/**
 * The Referer that a browser sends when a user follows a link.
 *
 * @param policy the Referrer-Policy of the page; '' is the default of browsers today
 * @returns `undefined` if the browser sends none
 * @throws if the lesson does not use this policy
 * @see https://www.w3.org/TR/referrer-policy/#determine-requests-referrer
 */
export function referrerOf(page: URL, link: URL, policy: string): string | undefined {
  const whole = Object.assign(new URL(page), { hash: '', username: '', password: '' }).href;
  const isDowngrade = isTrustworthy(page) && !isTrustworthy(link);
  switch (policy) {
    case 'no-referrer':
      return undefined;
    case 'no-referrer-when-downgrade':
      return isDowngrade ? undefined : whole;
    case '':
    case 'strict-origin-when-cross-origin':
      if (page.origin === link.origin) return whole;
      return isDowngrade ? undefined : `${page.origin}/`;
    default:
      throw new Error(`Referrer-Policy ${policy} is not supported`);
  }
}

/** @see https://www.w3.org/TR/secure-contexts/#is-url-trustworthy */
function isTrustworthy({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}
