import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { localCertificate, machineNames, readCertificate } from '../../tools/lib/certificate.mjs';
import { lanAddresses } from '../../tools/lib/network.mjs';
import { makeCertificates, opensslMissing } from '../support/certificates.ts';

const missing = opensslMissing();
const NAMES = ['localhost', '127.0.0.1', '::1'];

describe.skipIf(missing)(`the local CA${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const folders: string[] = [];
  let folder: string;
  let reported: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shared-state-ca-'));
    folders.push(folder);
    reported = [];
  });
  afterAll(() => {
    for (const one of folders) rmSync(one, { recursive: true });
  });

  const make = (names = NAMES) => localCertificate(folder, names, (line) => reported.push(line));
  const read = (name: string) => new X509Certificate(readFileSync(join(folder, `${name}.pem`)));
  const daysOf = ({ validTo }: X509Certificate) => (Date.parse(validTo) - Date.now()) / 86_400_000;

  it('should sign a certificate for all names, within the limits of Apple', () => {
    make();
    const [ca, server] = [read('ca'), read('server')];
    expect([ca.ca, ca.checkIssued(ca), server.ca, server.checkIssued(ca)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(server.verify(ca.publicKey)).toBe(true);
    expect(server.subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    );
    expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']); // serverAuth
    expect(daysOf(server)).toBeLessThan(825);
    expect(daysOf(ca)).toBeGreaterThan(3600);
  });

  it('should keep its keys for its user alone', () => {
    make();
    for (const name of ['ca.key', 'server.key']) {
      expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
    }
  });

  it('should stay as it is, and so should its certificate', () => {
    const files = ['ca.pem', 'ca.key', 'server.pem', 'server.key'];
    const contents = () => files.map((name) => readFileSync(join(folder, name), 'utf8'));
    make();
    const before = contents();
    expect(reported).toEqual([
      expect.stringMatching(/^New CA, .*ca\.pem$/),
      expect.stringMatching(/^New certificate for localhost, 127\.0\.0\.1, ::1: .*server\.pem$/),
    ]);
    make(['localhost']);
    expect(contents()).toEqual(before);
    expect(reported).toHaveLength(2);
  });

  it.each([
    ['an address was added', () => {}, [...NAMES, '10.1.2.3']],
    ['it ends within 30 days', () => replace('server'), NAMES],
    ['its key is gone', () => rmSync(join(folder, 'server.key')), NAMES],
  ])('should renew its certificate if %s', (_, damage, names) => {
    make();
    const [ca, old] = [read('ca'), read('server')];
    damage();
    make(names);
    const [sameCa, server] = [read('ca'), read('server')];
    expect(sameCa.fingerprint256).toBe(ca.fingerprint256);
    expect(server.serialNumber).not.toBe(old.serialNumber);
    expect(server.verify(ca.publicKey)).toBe(true);
    expect(server.subjectAltName?.split(', ')).toHaveLength(names.length);
    readCertificate(make(names));
    expect(read('server').serialNumber).toBe(server.serialNumber);
  });

  it('should not be replaced if only its key is gone, which its certificate does not need', () => {
    make();
    rmSync(join(folder, 'ca.key'));
    const { fingerprint256 } = read('ca');
    make();
    expect(() => make([...NAMES, '10.1.2.3'])).toThrow(/ca\.key cannot be used: ENOENT/);
    expect(read('ca').fingerprint256).toBe(fingerprint256);
  });

  it('should be replaced if it ends before a new certificate would', () => {
    make();
    replace('ca');
    make();
    expect(daysOf(read('ca'))).toBeGreaterThan(3600);
    expect(read('server').verify(read('ca').publicKey)).toBe(true);
    expect(reported).toHaveLength(4);
  });

  /** Puts a certificate that is valid for a day, with its key, in the place of another one. */
  function replace(name: string): void {
    const work = mkdtempSync(join(tmpdir(), 'shared-state-day-'));
    folders.push(work);
    const { certificate, key } = makeCertificates(work, 'DNS:localhost');
    copyFileSync(certificate, join(folder, `${name}.pem`));
    copyFileSync(key, join(folder, `${name}.key`));
  }

  it('should know the names of this machine, of BIND and of PUBLIC_URL', () => {
    const own = ['localhost', hostname(), '127.0.0.1', '::1', ...lanAddresses()];
    expect(machineNames({})).toEqual(own);
    expect(machineNames({ BIND: '0.0.0.0', PUBLIC_URL: '' })).toEqual(own);
    const env = { BIND: '10.1.2.3', PUBLIC_URL: 'https://[fd00::1]:8443' };
    expect(machineNames(env)).toEqual([...own, '10.1.2.3', 'fd00::1']);
    expect(machineNames({ PUBLIC_URL: 'https://shop.example' })).toContain('shop.example');
  });
});
