import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig, variables } from '../../services/app/config.ts';
import { readConfig as readDashboardConfig } from '../../services/dashboard/config.ts';
import { ConfigError, describeVariables } from '../../services/shared/process/config.ts';
import { ROOT } from '../../tools/lib/root.mjs';

describe('readConfig', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function fileWith(content: string): string {
    const file = join(folder, 'file');
    writeFileSync(file, content);
    return file;
  }

  it('should not require any variable', () => {
    expect(readConfig({})).toMatchObject({
      HOST: '0.0.0.0',
      PORT: 3000,
      REDIS_URL: 'redis://localhost:6379',
      REDIS_TIMEOUT_MS: 1000,
      SESSION_COOKIE_NAME: 'connect.sid',
      SESSION_TTL_SECONDS: 86_400,
      SESSION_STORE: 'redis',
      COUNTER: 'atomic',
      CACHE_TTL_SECONDS: 60,
      ORIGIN_DELAY_MS: 200,
    });
  });

  it('should treat an empty variable as unset', () => {
    expect(readConfig({ PORT: '', SESSION_SECRET: '' })).toEqual(readConfig({}));
  });

  it('should name the cookie after the Compose project, but not after the default one', () => {
    const compose = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
    const nameOf = (env: NodeJS.ProcessEnv) => readConfig(env).SESSION_COOKIE_NAME;
    const [, COMPOSE_PROJECT_NAME] = /^name: (\S+)$/m.exec(compose) ?? [];
    expect(COMPOSE_PROJECT_NAME).toBeDefined();
    expect(nameOf({ COMPOSE_PROJECT_NAME })).toBe('connect.sid');
    expect(nameOf({ COMPOSE_PROJECT_NAME: 'blue' })).toBe('connect.sid.blue');
    expect(nameOf({ COMPOSE_PROJECT_NAME: 'blue', SESSION_COOKIE_NAME: 'sid' })).toBe('sid');
  });

  it('should split the secrets', () => {
    const [a, b] = ['a'.repeat(32), 'b'.repeat(32)];
    expect(readConfig({ SESSION_SECRET: `${a}, ${b}` }).SESSION_SECRET).toEqual([a, b]);
  });

  it.each([
    ['INSTANCE', 'a b'],
    ['INSTANCE', '<script>'],
    ['INSTANCE', '..'],
    ['INSTANCE', '__proto__'],
    ['HOST', 'not-an-address'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '3000.5'],
    ['PORT', '0x10'],
    ['PORT', '1e3'],
    ['PORT', ' 80'],
    ['PORT', 'Infinity'],
    ['LOG_LEVEL', 'loud'],
    ['REDIS_TIMEOUT_MS', '0'],
    ['REDIS_TIMEOUT_MS', '99'],
    ['REDIS_TIMEOUT_MS', '10001'],
    ['SESSION_COOKIE_NAME', 'a=b'],
    ['SESSION_COOKIE_NAME', 'a b'],
    ['SESSION_COOKIE_NAME', 'a;b'],
    ['SESSION_TTL_SECONDS', '0'],
    ['SESSION_TTL_SECONDS', '31536001'],
    ['SESSION_STORE', 'disk'],
    ['COUNTER', 'Atomic'],
    ['CACHE_TTL_SECONDS', '0'],
    ['CACHE_TTL_SECONDS', '86401'],
    ['CACHE', 'on'],
    ['CACHE_STALE_SECONDS', '-1'],
    ['CACHE_GUARD', 'all'],
    ['ORIGIN_DELAY_MS', '8001'],
    ['ORIGIN_FAILURE_PERCENT', '101'],
    ['ORIGIN_DELAY_MS', 'soon'],
  ])('should reject %s=%j with one line that says what is allowed', (name, value) => {
    const { allowed } =
      describeVariables(variables).find((variable) => variable.name === name) ?? {};
    const read = () => readConfig({ [name]: value });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(`${name}=${JSON.stringify(value)}: must be ${allowed}`);
  });

  it.each([
    ['SESSION_SECRET', 'too-short', '(9 characters, not shown)'],
    ['SESSION_SECRET', `${'a'.repeat(32)},`, '(33 characters, not shown)'],
    ['REDIS_URL', 'http://me:pass@host', '(19 characters, not shown)'],
    ['REDIS_URL', 'host:6379', '(9 characters, not shown)'],
  ])('should not show the value of %s when it rejects it', (name, value, shown) => {
    const read = () => readConfig({ [name]: value });
    expect(read).toThrow(`${name}=${shown}: must be `);
    expect(read).not.toThrow(value);
  });

  it.each([
    ['redis://:100%sure@host', 'write a % in the user or the password as %25'],
    ['rediss://100%@host/1', 'write a % in the user or the password as %25'],
    ['redis://host/abc', 'after the host only a number may follow, the database'],
    ['redis://host/0/1', 'after the host only a number may follow, the database'],
    ['redis://one,two', 'several hosts need redis+sentinel:// or redis+cluster://'],
    ['redis+cluster://one,two/0', 'a Redis Cluster has no name and no database'],
    ['redis+other://one', 'must be redis://host'],
    ['redis://host:x', 'a host must be a name or an address, and may have :port'],
    ['redis+sentinel://one,two:x/main', 'a host must be a name or an address, and may have :port'],
    [
      'redis+sentinel://one,two',
      'after the hosts the name of the primary must follow: /shared-state',
    ],
    [
      'redis+sentinel://one/main/x',
      'after the hosts the name of the primary must follow: /shared-state',
    ],
  ])('should name the fault of REDIS_URL=%s in one line', (REDIS_URL, fault) => {
    const read = () => readConfig({ REDIS_URL });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(`REDIS_URL=(${REDIS_URL.length} characters, not shown): ${fault}`);
  });

  it.each([
    'redis://host',
    'redis://host/',
    'rediss://me:a%25b@host:1/7',
    'redis://:p@[::1]:6379',
    'redis+sentinel://me:p@one,[::1]:5/main/7',
    'redis+cluster://me:p@one,[::1]:5/',
  ])('should accept REDIS_URL=%s', (REDIS_URL) => {
    expect(readConfig({ REDIS_URL }).REDIS_URL).toBe(REDIS_URL);
  });

  it.each(['rediss://host', 'rediss+sentinel://one,two/main'])(
    'should read the CA certificates for %s from their file',
    (REDIS_URL) => {
      const certificates = rootCertificates.slice(0, 2).join('\n');
      const config = readConfig({ REDIS_URL, REDIS_CA_FILE: fileWith(certificates) });
      expect(config.REDIS_CA_FILE).toBe(certificates);
    },
  );

  it.each(['redis://host', 'redis+sentinel://one,two/main', ''])(
    'should refuse CA certificates if REDIS_URL=%s has no TLS',
    (REDIS_URL) => {
      const REDIS_CA_FILE = fileWith(String(rootCertificates[0]));
      expect(() => readConfig({ REDIS_URL, REDIS_CA_FILE })).toThrow(
        `REDIS_CA_FILE="${REDIS_CA_FILE}": needs TLS: REDIS_URL must begin with rediss`,
      );
    },
  );

  it.each(['', 'words', '-----BEGIN CERTIFICATE-----\n', '-----BEGIN PRIVATE KEY-----\n'])(
    'should refuse a file without a CA certificate: %j',
    (content) => {
      const REDIS_CA_FILE = fileWith(content);
      const read = () => readConfig({ REDIS_URL: 'rediss://host', REDIS_CA_FILE });
      expect(read).toThrow(ConfigError);
      expect(read).toThrow(`REDIS_CA_FILE="${REDIS_CA_FILE}": holds no certificate in PEM format`);
    },
  );

  it.each([
    ['/no/such/file', 'no such file or directory'],
    ['/', 'illegal operation on a directory'],
  ])('should say why it cannot read REDIS_CA_FILE=%s', (REDIS_CA_FILE, reason) => {
    const read = () => readConfig({ REDIS_URL: 'rediss://host', REDIS_CA_FILE });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(`REDIS_CA_FILE="${REDIS_CA_FILE}": cannot be read: ${reason}`);
  });

  it.each(['\n', '\r\n', ''])('should read a secret from a file that ends with %j', (end) => {
    const secret = 'a b'.repeat(11);
    const SESSION_SECRET_FILE = fileWith(secret + end);
    expect(readConfig({ SESSION_SECRET_FILE }).SESSION_SECRET).toEqual([secret]);
  });

  it('should read every secret from a file, and no other setting', () => {
    const url = 'redis://me@host';
    expect(readConfig({ REDIS_URL_FILE: fileWith(url) }).REDIS_URL).toBe(url);
    expect(readConfig({ REDIS_PASSWORD_FILE: fileWith(' p ') }).REDIS_PASSWORD).toBe(' p ');
    const PRESENTER_KEY_FILE = fileWith('presenter-1');
    expect(readDashboardConfig({ PRESENTER_KEY_FILE }).PRESENTER_KEY).toBe('presenter-1');
    expect(readConfig({ PORT_FILE: fileWith('1234') }).PORT).toBe(3000);
  });

  it.each([
    ['/no/such/file', 'cannot be read: no such file or directory'],
    ['/', 'cannot be read: illegal operation on a directory'],
  ])('should say why it cannot read a secret from %s', (SESSION_SECRET_FILE, reason) => {
    const read = () => readConfig({ SESSION_SECRET_FILE });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(`SESSION_SECRET_FILE="${SESSION_SECRET_FILE}": ${reason}`);
  });

  it('should refuse an empty file, a bad secret in one, and a secret that is given twice', () => {
    const secret = 'a'.repeat(32);
    const read = (content: string, env = {}) => {
      const SESSION_SECRET_FILE = fileWith(content);
      return () => readConfig({ SESSION_SECRET_FILE, ...env });
    };
    expect(read('\n')).toThrow(/^SESSION_SECRET_FILE=".+": is empty$/);
    expect(read('short')).toThrow(/^SESSION_SECRET=\(5 characters, not shown\): must be /);
    expect(read(secret, { SESSION_SECRET: secret })).toThrow(
      /^SESSION_SECRET_FILE=".+": SESSION_SECRET is set too; set one of them$/,
    );
    expect(read(secret, { SESSION_SECRET: '' })().SESSION_SECRET).toEqual([secret]);
  });

  it('should refuse a second password of Redis, and show neither', () => {
    const read = () => readConfig({ REDIS_URL: 'redis://me:first@host', REDIS_PASSWORD: 'second' });
    expect(read).toThrow(
      /^REDIS_PASSWORD=\(6 characters, not shown\): REDIS_URL has a password too; set one of them$/,
    );
  });

  it('should name every invalid variable, one per line', () => {
    const lines = () => readConfig({ PORT: 'x', COUNTER: 'y' });
    expect(lines).toThrow(/^PORT="x": .+\nCOUNTER="y": .+$/);
  });

  it.each([
    ['SESSION_STORE', 'memory', 'redis'],
    ['COUNTER', 'session', 'atomic'],
    ['IDEMPOTENCY', 'off', 'on'],
    ['REQUEST_TIMEOUT_MS', '1701', 'at most 1700'], // nginx waits 1800 ms
  ])('should reject %s=%s in production only', (name, value, safe) => {
    expect(String(readConfig({ [name]: value })[name as 'COUNTER'])).toBe(value);
    expect(() => readConfig({ [name]: value, NODE_ENV: 'production' })).toThrow(
      `${name}=${value}: with NODE_ENV=production it must be ${safe}`,
    );
  });

  it.each(['nginx', 'redis', 'dashboard', 'redis-1', 'sentinel-2'])(
    'should reserve the name %s',
    (INSTANCE) => {
      expect(() => readConfig({ INSTANCE })).toThrow(ConfigError);
    },
  );

  it('should cut a value in its message', () => {
    const read = () => readConfig({ COUNTER: 'x'.repeat(100_000) });
    expect(read).toThrow(`COUNTER="${'x'.repeat(60)}…": must be atomic or session`);
  });
});
