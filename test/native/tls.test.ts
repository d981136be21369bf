import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import qrcode from 'qrcode';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CERTIFICATES, localCertificate } from '../../tools/lib/certificate.mjs';
import { findProgram } from '../../tools/lib/programs.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { Stack } from '../../tools/stack/stack.ts';
import type { Tls } from '../../tools/stack/tls.ts';
import { makeCertificates, opensslMissing } from '../support/certificates.ts';
import { type CurlReply, curl } from '../support/curl.ts';
import { newName, npmStart, ready } from '../support/npm.ts';

const missing = opensslMissing() ?? (findProgram('curl') ? undefined : 'curl is not installed');

it.runIf(process.env.REQUIRE_OPENSSL === '1')('should be there, since REQUIRE_OPENSSL=1', () => {
  expect(missing).toBeUndefined();
});

describe.skipIf(missing)(`TLS${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let folder: string;
  let tls: Tls;
  let stack: Stack;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-tls-'));
    const files = localCertificate(folder, ['localhost', '127.0.0.1'], () => {});
    tls = { ...files, hstsSeconds: 0 };
    stack = await Stack.start({ scale: 2, tls });
  });
  afterAll(async () => {
    await stack?.close();
    rmSync(folder, { recursive: true });
  });

  const jar = () => join(folder, 'cookies');
  afterEach(() => rmSync(jar(), { force: true }));

  /** A request of a browser that trusts the CA and keeps its cookies. */
  async function visit(url: string, ...options: string[]): Promise<CurlReply> {
    const cookies = ['--cookie', jar(), '--cookie-jar', jar()];
    return curl(url, '--cacert', join(folder, 'ca.pem'), ...cookies, ...options);
  }
  const logIn = (url: string, ...options: string[]) =>
    visit(`${url}/login`, '--json', '{"name":"Ada"}', ...options); // a POST
  const viewsOf = async (url: string) => (await visit(`${url}/`)).body;

  it('should serve HTTP/2 over TLS 1.3 and 1.2 to clients that trust the CA', async () => {
    expect(stack.url).toMatch(/^https:/);
    for (const version of ['1.2', '1.3']) {
      const reply = await visit(stack.url, `--tlsv${version}`, '--tls-max', version);
      expect(reply).toMatchObject({ version: '2', status: 200 });
    }
    await expect(curl(stack.url)).rejects.toMatchObject({ code: 60 }); // not verified
  });

  it('should redirect http to the same port, method and path, which no cache keeps', async () => {
    const reply = await curl(`${stack.url.replace('https', 'http')}/cart?a=%20`, '--data', 'x');
    expect(reply.status).toBe(308);
    expect(reply.headers.get('location')).toBe(`${stack.url}/cart?a=%20`);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(reply.headers.has('set-cookie')).toBe(false);
  });

  it('should name the cookie so that browsers accept it over TLS only, from this host', async () => {
    const reply = await visit(stack.url);
    expect(reply.headers.get('set-cookie')).toMatch(
      /^__Host-connect\.sid=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect(reply.headers.has('strict-transport-security')).toBe(false);
    expect([await viewsOf(stack.url), await viewsOf(stack.url)]).toEqual(['Views: 2', 'Views: 3']);
    const session = await visit(`${stack.url}/dashboard/session`);
    expect(JSON.parse(session.body)).toMatchObject({ views: 3 });
  });

  it('should clear the cookie at logout', async () => {
    expect((await logIn(stack.url)).status).toBe(200);
    expect((await visit(`${stack.url}/me`)).status).toBe(200);
    const reply = await visit(`${stack.url}/logout`, '--request', 'POST');
    expect(reply.status).toBe(204);
    expect(reply.headers.get('set-cookie')).toMatch(/^__Host-connect\.sid=; .*Secure/);
    expect(readFileSync(jar(), 'utf8')).not.toContain('__Host-');
  });

  it.each([
    ['its own origin', (url: string) => url, 200],
    ['the same host over http', (url: string) => url.replace('https', 'http'), 403],
    ['another port', () => 'https://localhost', 403],
  ])('should answer a change from a page of %s', async (_, originOf, status) => {
    const reply = await logIn(stack.url, '--header', `Origin: ${originOf(stack.url)}`);
    expect(reply.status).toBe(status);
  });

  it('should show https in the QR code', async () => {
    const { body } = await visit(`${stack.url}/dashboard/qr.svg`);
    expect(body).toBe(await qrcode.toString(`${stack.url}/`, { type: 'svg', margin: 2 }));
  });

  it('should count on and log out with the cookie name __Host-visit', async () => {
    await stack.set({ SESSION_COOKIE_NAME: '__Host-visit' });
    const first = await visit(stack.url);
    expect(first.headers.get('set-cookie')).toMatch(/^__Host-visit=.*; Path=\/; .*Secure/);
    expect([await viewsOf(stack.url), await viewsOf(stack.url)]).toEqual(['Views: 2', 'Views: 3']);
    const { headers } = await visit(`${stack.url}/logout`, '--request', 'POST');
    expect(headers.get('set-cookie')).toMatch(/^__Host-visit=; .*Secure/);
    expect(await viewsOf(stack.url)).toBe('Views: 1');
  });

  it('should serve the smallest program too', async () => {
    await using minimal = await Stack.start({ scale: 1, tls, program: 'minimal' });
    const { headers } = await visit(minimal.url);
    expect(headers.get('set-cookie')).toMatch(/^__Host-connect\.sid=.*; Path=\/; .*Secure/);
    expect(await viewsOf(minimal.url)).toBe('Views: 2');
  });

  describe('that a trusted proxy ends', () => {
    let behind: Stack;
    beforeAll(async () => {
      const env = { ...process.env, SESSION_COOKIE_NAME: '__Host-visit' };
      behind = await Stack.start({ scale: 1, trustedProxies: ['127.0.0.1', '::1'], env });
    });
    afterAll(() => behind?.close());

    it.each(['/', '/logout'])('should make the cookie Secure: %s', async (path) => {
      const method = path === '/' ? 'GET' : 'POST';
      const headers = { 'x-forwarded-proto': 'https' };
      const reply = await send(behind.url + path, { method, headers });
      expect(reply.headers['set-cookie']?.[0]).toMatch(/^__Host-visit=.*; Path=\/;.*; Secure/);
    });

    it('should be required for a cookie of that name', async () => {
      const reply = await send(`${behind.url}/`);
      expect(reply.status).toBe(200);
      expect(reply.headers['set-cookie']).toBeUndefined();
    });
  });

  describe('npm start -- --tls', () => {
    it('should use the certificate that is given, with HSTS if it is asked for', async () => {
      const { certificate, key } = makeCertificates(folder, 'DNS:localhost'); // replaces ca.pem
      const name = newName();
      const words = ['--tls', '--port=0', '--scale=1', '--name', name];
      await using running = npmStart([...words, '--cert', certificate, '--key', key], {
        HSTS_SECONDS: '60',
      });
      const url = await ready(running);
      expect(url).toMatch(/^https:/);
      const { headers } = await visit(url);
      expect(headers.get('strict-transport-security')).toBe('max-age=60');
      expect(headers.get('set-cookie')).toMatch(`__Host-connect.sid.${name}=`);
    });

    it('should make a certificate if there is none, and print addresses with https', async () => {
      const words = ['--tls', '--port=0', '--scale=1', '--name', newName()];
      await using running = npmStart(words, { BIND: '0.0.0.0' });
      const url = await ready(running);
      const trusting = ['--cacert', join(CERTIFICATES, 'ca.pem')];
      expect((await curl(url, ...trusting)).body).toBe('Views: 1');
      const [, forAudience] = /^For the audience: (\S+)$/m.exec(running.stdout) ?? [];
      if (forAudience) expect((await curl(forAudience, ...trusting)).body).toBe('Views: 1');
    });

    const other = '/dev/null';
    it.each([
      [['--cert', other, '--key', other], {}, /^`--cert` and `--key` need `--tls`\.$/],
      [['--tls', '--cert', other], {}, /^`--cert` expects the key of the certificate too/],
      [['--tls', '--cert', other, '--key', other], {}, /^\/dev\/null cannot be used: /],
      [['--tls'], { HSTS_SECONDS: 'a year' }, /^`HSTS_SECONDS` expects a whole number from 0 to/],
      [[], { SESSION_COOKIE_NAME: '__Host-sid' }, /accept it over TLS only; add `--tls`\.$/],
    ])('should refuse %j with %j in one line', async (words, env, message) => {
      const main = join(ROOT, 'tools/stack/main.ts');
      const all = [main, '--port=0', '--scale=1', '--name', newName(), ...words];
      await using running = new Running(process.execPath, all, env);
      const { code, stderr } = await running.ended;
      expect(code).not.toBe(0);
      expect(stderr.trimEnd()).toMatch(message);
    });
  });
});
