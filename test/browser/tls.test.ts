import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../../tools/lib/browser.ts';
import { localCertificate } from '../../tools/lib/certificate.mjs';
import { Stack } from '../../tools/stack/stack.ts';
import { describeInBrowser, expectText, press, useBoards } from '../support/board.ts';
import { certutilMissing, opensslMissing, trustInChromium } from '../support/certificates.ts';

describeInBrowser('the page over TLS', () => {
  const missing = opensslMissing() ?? certutilMissing();
  it.runIf(process.env.REQUIRE_BROWSER === '1')('should be tested, since REQUIRE_BROWSER=1', () => {
    expect(missing).toBeUndefined();
  });

  describe.skipIf(missing)(`with a local CA${missing ? ` (skipped: ${missing})` : ''}`, () => {
    let folder: string;
    let stack: Stack;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'shared-state-tls-'));
      const files = localCertificate(folder, ['localhost'], () => {});
      trustInChromium(folder, join(folder, 'ca.pem'));
      stack = await Stack.start({ scale: 2, tls: { ...files, hstsSeconds: 0 } });
    });
    afterAll(async () => {
      await stack?.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const { open } = useBoards(() => folder);

    it('should be live and count over HTTP/2, also if it is opened by http', async () => {
      const page = await open(stack.url.replace('https', 'http'));
      expect(page.url()).toBe(`${stack.url}/`);
      const protocol = `performance.getEntriesByType('navigation')[0].nextHopProtocol`;
      expect(await page.evaluate(protocol)).toBe('h2');
      for (const views of [2, 3]) {
        await press(page, 'Visit');
        await expectText(page, '#views', `Views: ${views}`);
      }
    });

    it('should get a cookie that no other host can set, and lose it at logout', async () => {
      const page = await open(stack.url);
      const cookies = () => page.context().cookies();
      const post = (path: string, body?: string) =>
        page.evaluate(
          `fetch('${path}', { method: 'POST', body: ${JSON.stringify(body)},
            headers: { 'Content-Type': 'application/json' } }).then(({ status }) => status)`,
        );
      expect(await post('/login', '{"name":"Ada"}')).toBe(200);
      expect(await cookies()).toEqual([
        expect.objectContaining({
          name: '__Host-connect.sid',
          domain: 'localhost', // without a dot: of this host only
          path: '/',
          secure: true,
          httpOnly: true,
          sameSite: 'Lax',
        }),
      ]);
      expect(await post('/logout')).toBe(204);
      expect(await cookies()).toEqual([]);
    });

    it('should not open in a browser that does not trust the CA', async () => {
      await using browser = await launchBrowser();
      const page = await browser.newPage();
      await expect(page.goto(stack.url)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID');
    });
  });
});
