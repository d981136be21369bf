// @ts-check
// The certificate for `npm start -- --tls` and for deploy/tls.
import { spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StackError } from './errors.mjs';
import { lanAddresses } from './network.mjs';
import { findProgram } from './programs.mjs';
import { ROOT } from './root.mjs';

/** The folder of the local CA and of its certificate. Git ignores it. */
export const CERTIFICATES = join(ROOT, 'deploy/tls/certificates');

const CA_DAYS = 3650;
/** Apple accepts at most 825 days. */
const DAYS = 397;
const RENEW_DAYS = 30;
const DAY_MS = 86_400_000;

const CA_EXTENSIONS = [
  'basicConstraints = critical, CA:TRUE, pathlen:0',
  'keyUsage = critical, keyCertSign, cRLSign',
  'subjectKeyIdentifier = hash',
];
const SERVER_EXTENSIONS = [
  'basicConstraints = critical, CA:FALSE',
  'keyUsage = critical, digitalSignature',
  'extendedKeyUsage = serverAuth',
  'authorityKeyIdentifier = keyid',
];

/**
 * The paths of a certificate and its key, as PEM files.
 *
 * @typedef {{certificate: string, key: string}} CertificateFiles
 */

/**
 * The names and addresses under which browsers reach this machine.
 *
 * @param {NodeJS.ProcessEnv} env with BIND and PUBLIC_URL, if they are set
 * @returns {string[]}
 */
export function machineNames({ BIND = '', PUBLIC_URL = '' }) {
  const own = ['localhost', hostname(), '127.0.0.1', '::1', ...lanAddresses()];
  const bound = ['', '0.0.0.0', '::'].includes(BIND) ? [] : [BIND];
  const host = URL.canParse(PUBLIC_URL) ? [new URL(PUBLIC_URL).hostname] : [];
  const bare = host.map((name) => name.replace(/^\[(.*)\]$/, '$1')); // an IPv6 address
  return [...new Set([...own, ...bound, ...bare])];
}

/**
 * A certificate for `names`, signed by a CA in the same folder. Both are made if they are missing.
 * The CA is kept as long as it lives, because devices have to trust it. The certificate is renewed
 * if it ends soon or lacks a name.
 *
 * @param {string} folder
 * @param {string[]} names host names and IP addresses
 * @param {(line: string) => void} report
 * @returns {CertificateFiles}
 * @throws {StackError} if openssl is missing, or the CA cannot be used
 */
export function localCertificate(folder, names, report) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ca = { certificate: join(folder, 'ca.pem'), key: join(folder, 'ca.key') };
  const files = { certificate: join(folder, 'server.pem'), key: join(folder, 'server.key') };
  if (!existsSync(ca.certificate) || daysLeft(readPem(ca.certificate)) < DAYS) {
    const subject = `Shared State CA ${randomBytes(4).toString('hex')}`;
    makeCertificate(folder, ca, { subject, days: CA_DAYS, extensions: CA_EXTENSIONS });
    report(`New CA, which browsers have to trust (see deploy/tls/README.md): ${ca.certificate}`);
  }
  const current = readIfValid(files, RENEW_DAYS);
  const { publicKey } = readPem(ca.certificate);
  if (!current?.verify(publicKey) || !names.every((name) => isFor(current, name))) {
    readCertificate(ca); // says so if its key was taken away
    const alternatives = names.map((name) => `${isIP(name) ? 'IP' : 'DNS'}:${name}`);
    const extensions = [...SERVER_EXTENSIONS, `subjectAltName = ${alternatives.join(', ')}`];
    makeCertificate(folder, files, { subject: 'Shared State', days: DAYS, extensions, signer: ca });
    report(`New certificate for ${names.join(', ')}: ${files.certificate}`);
  }
  return files;
}

/**
 * Reads a certificate.
 *
 * @param {CertificateFiles} files
 * @returns {X509Certificate}
 * @throws {StackError} if a file is not readable, they do not belong together, or it has expired
 */
export function readCertificate({ certificate, key }) {
  const found = readPem(certificate);
  if (!found.checkPrivateKey(parsed(key, createPrivateKey))) {
    throw new StackError(`${key} is not the key of ${certificate}.`);
  }
  if (daysLeft(found) < 0) throw new StackError(`${certificate} has expired.`);
  return found;
}

/** @param {string} file */
function readPem(file) {
  return parsed(file, (pem) => new X509Certificate(pem));
}

/**
 * @template T
 * @param {string} file
 * @param {(pem: Buffer) => T} parse
 */
function parsed(file, parse) {
  try {
    return parse(readFileSync(file));
  } catch (err) {
    throw new StackError(`${file} cannot be used: ${/** @type {Error} */ (err).message}`);
  }
}

/**
 * @param {CertificateFiles} files
 * @param {number} days that it has to be valid for, at least
 */
function readIfValid(files, days) {
  try {
    const found = readCertificate(files);
    return daysLeft(found) > days ? found : undefined;
  } catch {
    return undefined; // there is none, or a half one
  }
}

/** @param {X509Certificate} certificate */
function daysLeft({ validTo }) {
  return (Date.parse(validTo) - Date.now()) / DAY_MS;
}

/**
 * @param {X509Certificate} certificate
 * @param {string} name
 */
function isFor(certificate, name) {
  return Boolean(isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name));
}

/**
 * Makes a key and a certificate. They replace what is there only when both are complete.
 *
 * @param {string} folder on the same disk as the files
 * @param {CertificateFiles} files
 * @param {{subject: string, days: number, extensions: string[], signer?: CertificateFiles}} options
 *   without a signer, it signs itself
 */
function makeCertificate(folder, files, { subject, days, extensions, signer }) {
  const work = mkdtempSync(join(folder, 'new-'));
  const at = (/** @type {string} */ name) => join(work, name);
  try {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(at('key'), pem, { mode: 0o600 });
    const request = ['[req]', 'distinguished_name = subject', 'prompt = no'];
    const settings = [...request, '[subject]', `CN = ${subject}`, '[extensions]', ...extensions];
    writeFileSync(at('settings'), settings.join('\n'));
    openssl('req', '-new', '-key', at('key'), '-config', at('settings'), '-out', at('request'));
    const sign = signer
      ? ['-CA', signer.certificate, '-CAkey', signer.key]
      : ['-signkey', at('key')];
    const serial = `0x${randomBytes(16).toString('hex')}`;
    const terms = ['-sha256', '-days', String(days), '-set_serial', serial];
    const added = ['-extfile', at('settings'), '-extensions', 'extensions'];
    const out = ['-in', at('request'), '-out', at('certificate')];
    openssl('x509', '-req', ...out, ...sign, ...terms, ...added);
    renameSync(at('key'), files.key);
    renameSync(at('certificate'), files.certificate);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/**
 * @param {string[]} words
 * @throws {StackError}
 */
function openssl(...words) {
  const file = findProgram('openssl');
  if (!file) {
    const other = 'or use a certificate that you have, with --cert and --key';
    throw new StackError(`openssl is needed to make a certificate: install it, ${other}.`);
  }
  const { status, stderr } = spawnSync(file, words, { encoding: 'utf8' });
  if (status !== 0) throw new StackError(`openssl ${words[0]} failed: ${stderr.trim()}`);
}
