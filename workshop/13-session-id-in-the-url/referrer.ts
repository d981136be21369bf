/**
 * The Referer that a browser sends when somebody follows a link, where the page came with that
 * Referrer-Policy; `undefined` where it sends none.
 *
 * @param policy one of those that this lesson is about; '' is what browsers do by themselves today
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
      throw new Error(`not in this lesson: Referrer-Policy: ${policy}`);
  }
}

/** @see https://www.w3.org/TR/secure-contexts/#is-url-trustworthy */
function isTrustworthy({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}
