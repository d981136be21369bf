import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localCertificate } from '../../tools/lib/certificate.mjs';
import { eventually } from '../../tools/lib/eventually.ts';
import { Nginx } from '../../tools/stack/nginx.ts';
import { freePorts } from '../../tools/stack/port.ts';
import type { Watchdog } from '../../tools/stack/watchdog.ts';
import { opensslMissing } from '../support/certificates.ts';
import { type CurlReply, curl, parseReply } from '../support/curl.ts';
import { ComposeStack, docker, dockerMissing, UP_MS } from '../support/docker.ts';

const missing = dockerMissing() ?? opensslMissing();
const IMAGE = process.env.NGINX_IMAGE ?? 'nginx:1.30-alpine';

describe.skipIf(missing)(`deploy/tls${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-tls-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const certificates = (name: string) =>
    localCertificate(join(folder, name), ['localhost', '127.0.0.1'], () => {});

  describe('compose.yml', () => {
    let stack: ComposeStack;
    let settings: Record<string, string>;
    let https: string;
    let http: string;
    beforeAll(async () => {
      const [httpsPort, httpPort] = await freePorts(2);
      const { certificate, key } = certificates('compose');
      https = `https://localhost:${httpsPort}`;
      http = `http://localhost:${httpPort}`;
      settings = { HTTPS_PORT: String(httpsPort), HTTP_PORT: String(httpPort), HSTS_SECONDS: '60' };
      settings = { ...settings, TLS_CERT: certificate, TLS_KEY: key };
      stack = await ComposeStack.start(settings, ['deploy/tls/compose.yml']);
    }, UP_MS);
    afterAll(() => stack?.[Symbol.asyncDispose](), UP_MS);

    const trusting = (...options: string[]) => [
      ...['--cacert', join(folder, 'compose/ca.pem')],
      ...options,
    ];

    it('should serve HTTP/2 with a Secure cookie, and HSTS if it is asked for', async () => {
      const { version, status, headers } = await curl(https, ...trusting());
      expect([version, status]).toEqual(['2', 200]);
      const cookie = `__Host-connect.sid.${stack.project}=`;
      expect(headers.get('set-cookie')?.startsWith(cookie)).toBe(true);
      expect(headers.get('set-cookie')).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
      expect(headers.get('strict-transport-security')).toBe('max-age=60');
      expect(headers.get('alt-svc')).toBe(`h3="${https.replace('https://localhost', '')}"`);
    });

    it('should redirect http to the port for https', async () => {
      const { status, headers } = await curl(`${http}/data?a=1`);
      expect(status).toBe(308);
      expect(headers.get('location')).toBe(`${https}/data?a=1`);
    });

    it('should serve HTTP/3, and know host and port there too', (context) => {
      const ca = ['--volume', `${join(folder, 'compose/ca.pem')}:/ca.pem:ro`];
      const run = ['run', '--rm', '--network', 'host', ...ca, IMAGE, 'curl'];
      const hasHttp3 = docker([...run, '--version']).includes('HTTP3');
      context.skip(!hasHttp3, `curl in ${IMAGE} has no HTTP/3`);
      const options = ['--silent', '--show-error', '--include', '--http3-only'];
      const send = (...words: string[]): CurlReply =>
        parseReply(docker([...run, ...options, '--cacert', '/ca.pem', ...words]));
      expect(send(https)).toMatchObject({ version: '3', status: 200, body: 'Views: 1' });
      const login = [`${https}/login`, '--json', '{"name":"Ada"}'];
      expect(send(...login, '--header', `Origin: ${https}`).status).toBe(200);
      const foreign = `Origin: ${https.replace('https', 'http')}`;
      expect(send(...login, '--header', foreign).status).toBe(403);
    });

    it('should use a renewed certificate, and let only nginx read its key', async () => {
      const serialOf = async () => {
        const [host, port] = [new URL(https).hostname, new URL(https).port];
        const words = ['s_client', '-connect', `${host}:${port}`];
        const shown = spawnSync('openssl', words, { input: '', encoding: 'utf8' }).stdout;
        const pem = execFileSync('openssl', ['x509', '-noout', '-serial'], { input: shown });
        return String(pem).trim();
      };
      const before = await serialOf();
      rmSync(join(folder, 'compose/server.pem'));
      certificates('compose');
      const up = ['up', '--detach', '--no-build', '--force-recreate', 'certificate', 'nginx'];
      stack.run(up, settings);
      await eventually(async () => {
        expect((await curl(https, ...trusting())).status).toBe(200);
      }, 30_000);
      expect(await serialOf()).not.toBe(before);
      const nginx = ['exec', `${stack.project}-nginx-1`];
      expect(docker([...nginx, 'stat', '-c', '%u %a', '/etc/nginx/tls/key.pem'])).toBe('101 400\n');
    }, 60_000);
  });

  it('should get a configuration from `npm start -- --tls` that the nginx of the image accepts', () => {
    const prefix = join(folder, 'native');
    mkdirSync(prefix);
    const file = join(folder, 'nginx');
    const run = `docker run --rm --volume ${folder}:${folder} ${IMAGE} nginx`;
    writeFileSync(file, `#!/bin/sh\nexec ${run} "$@"\n`);
    chmodSync(file, 0o755);
    const context = { folder: prefix, watchdog: {} as Watchdog, report: () => {} };
    const tls = { ...certificates('given'), hstsSeconds: 60 };
    const nginx = new Nginx(file, '127.0.0.1', { nginx: 8443, status: 8081 }, context, { tls });
    nginx.write({ app: [1], dashboard: [2] });
    const words = ['-p', `${prefix}/nginx/`, '-c', `${prefix}/nginx/nginx.conf`, '-t'];
    const own = ['-g', 'user nginx;']; // the default may be a user that the image does not have
    const { status, stderr } = spawnSync(file, [...words, ...own], { encoding: 'utf8' });
    expect(stderr).toMatch(/test is successful/);
    expect(stderr).not.toContain('[warn]');
    expect(status).toBe(0);
    expect(readFileSync(join(prefix, 'nginx/site/listen.conf'), 'utf8')).toContain('quic');
  });
});
