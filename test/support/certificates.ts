import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canInstall, findProgram, installOnDebian } from '../../tools/lib/programs.mjs';

/** Returns why certificates cannot be made here, or `undefined` if they can. */
export function opensslMissing(): string | undefined {
  return findProgram('openssl') ? undefined : 'openssl is not installed';
}

/** The files of a CA and of a certificate that it has signed. */
export interface Certificates {
  ca: string;
  certificate: string;
  key: string;
}

/**
 * Makes a CA and a certificate, valid for a day.
 *
 * @param name what the certificate is for: `IP:127.0.0.1` or `DNS:localhost`
 */
export function makeCertificates(folder: string, name: string): Certificates {
  const openssl = (args: string) =>
    execFileSync('openssl', args.split(' '), { cwd: folder, stdio: 'pipe' });
  writeFileSync(join(folder, 'extensions'), `subjectAltName=${name}\n`);
  openssl('req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 1 -subj /CN=ca');
  openssl('req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=server');
  openssl(
    'x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 ' +
      '-extfile extensions -out certificate.pem',
  );
  const [ca = '', certificate = '', key = ''] = ['ca.pem', 'certificate.pem', 'key.pem'].map(
    (file) => join(folder, file),
  );
  return { ca, certificate, key };
}

/**
 * Returns why no CA can be given to Chromium here, or `undefined`. As root on Debian it installs what
 * is missing.
 */
export function certutilMissing(): string | undefined {
  if (process.platform !== 'linux') return 'Chromium reads the database of NSS only on Linux';
  if (!findProgram('certutil') && canInstall()) installOnDebian(['libnss3-tools'], console.log);
  return findProgram('certutil') ? undefined : 'certutil is not installed (libnss3-tools)';
}

/** Makes Chromium trust a CA if `home` is the folder of its user. */
export function trustInChromium(home: string, ca: string): void {
  const database = join(home, '.pki/nssdb');
  mkdirSync(database, { recursive: true });
  const certutil = (...words: string[]) =>
    execFileSync('certutil', ['-d', `sql:${database}`, ...words], { stdio: 'pipe' });
  certutil('-N', '--empty-password');
  certutil('-A', '-t', 'C,,', '-n', 'shared-state', '-i', ca);
}
