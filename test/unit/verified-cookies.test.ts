import { sign } from 'cookie-signature';
import type { Request } from 'express';
import { describe, expect, it } from 'vitest';
import { VerifiedCookies } from '../../services/shared/session/verified-cookies.ts';

describe('VerifiedCookies', () => {
  const request = (id: string, secret: string, more = '') =>
    ({
      headers: { cookie: `connect.sid=${encodeURIComponent(`s:${sign(id, secret)}`)}${more}` },
    }) as unknown as Request;
  /** Verifies with the secrets that were set last. */
  function verifier(first: string[]) {
    let secrets = first;
    const cookies = new VerifiedCookies('connect.sid', async () => secrets);
    const setSecrets = (next: string[]) => {
      secrets = next;
    };
    return { cookies, setSecrets };
  }

  it('should verify with each secret', async () => {
    const { cookies } = verifier(['new', 'old', 'oldest']);
    for (const secret of ['new', 'old', 'oldest']) {
      expect(await cookies.find(request('a', secret)), secret).toMatchObject({ id: 'a' });
    }
    expect(await cookies.find(request('a', 'foreign'))).toBeUndefined();
  });

  it('should forget a visitor if the secret of the cookie is withdrawn', async () => {
    const { cookies, setSecrets } = verifier(['new', 'old']);
    expect(await cookies.find(request('a', 'old'))).toMatchObject({ id: 'a' });
    setSecrets(['new']);
    expect(await cookies.find(request('a', 'old'))).toBeUndefined();
  });

  it('should remember at most 5000 visitors, and no long header', async () => {
    const { cookies } = verifier(['new']);
    const first = await cookies.find(request('0', 'new'));
    expect(await cookies.find(request('0', 'new'))).toBe(first);
    for (let i = 1; i <= 5000; i += 1) await cookies.find(request(String(i), 'new'));
    expect(await cookies.find(request('0', 'new'))).not.toBe(first);
    const long = request('long', 'new', `; other=${'x'.repeat(1000)}`);
    expect(await cookies.find(long)).not.toBe(await cookies.find(long));
  });
});
