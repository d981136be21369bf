import {
  CERTIFICATES,
  localCertificate,
  machineNames,
  readCertificate,
} from '../lib/certificate.mjs';
import { quoted, UsageError } from '../lib/errors.mjs';
import { wholeNumber } from '../lib/options.ts';
import { typedPath } from '../lib/typed-path.mjs';

const TWO_YEARS_SECONDS = 63_072_000;

/** TLS at the port of nginx. Plain HTTP to the same port is redirected. */
export interface Tls {
  /** The paths of PEM files: the certificate, with those between it and its CA, and its key. */
  certificate: string;
  key: string;
  /** How long browsers use only https for this host name (HSTS), in seconds; 0 is not at all. */
  hstsSeconds: number;
}

/** The options of `npm start` that concern TLS. */
export interface TlsOptions {
  tls: boolean;
  /** The paths of a certificate and its key, instead of one of the local CA. */
  cert?: string | undefined;
  key?: string | undefined;
}

/**
 * The TLS of a stack; `undefined` without `--tls`. It makes a certificate if none is given.
 *
 * @throws {StackError} if options do not fit, or there is no certificate that can be used
 */
export function tlsOf(
  { tls, cert, key }: TlsOptions,
  env: NodeJS.ProcessEnv,
  report: (line: string) => void,
): Tls | undefined {
  if (!tls) {
    if (cert || key) throw new UsageError('`--cert` and `--key` need `--tls`.');
    return void assertCookieFits(env);
  }
  const hstsSeconds = wholeNumber('HSTS_SECONDS', env.HSTS_SECONDS || '0', 0, TWO_YEARS_SECONDS);
  const [certificate, itsKey] = [cert || env.TLS_CERT, key || env.TLS_KEY];
  if (!certificate && !itsKey) {
    return { ...localCertificate(CERTIFICATES, machineNames(env), report), hstsSeconds };
  }
  if (!certificate || !itsKey) {
    throw new UsageError('`--cert` expects the key of the certificate too: `--key FILE`.');
  }
  const given = { certificate: typedPath(certificate), key: typedPath(itsKey) };
  readCertificate(given);
  return { ...given, hstsSeconds };
}

/** Behind a trusted proxy, requests may have come over TLS. */
function assertCookieFits({ SESSION_COOKIE_NAME = '', TRUSTED_PROXIES }: NodeJS.ProcessEnv): void {
  if (TRUSTED_PROXIES || !/^__(Host|Secure)-/i.test(SESSION_COOKIE_NAME)) return;
  const fault = `SESSION_COOKIE_NAME=${quoted(SESSION_COOKIE_NAME)}: browsers accept it over TLS only`;
  throw new UsageError(`${fault}; add \`--tls\`.`);
}

/**
 * The lines that make nginx listen with TLS, and with each version of HTTP that it knows.
 *
 * @param address with the port
 * @param build what `nginx -V` prints
 */
export function listenWithTls(address: string, hstsSeconds: number, build: string): string[] {
  const [, minor, patch] = /nginx\/1\.(\d+)\.(\d+)/.exec(build) ?? [];
  const isNew = Number(minor) > 25 || (minor === '25' && patch !== '0');
  const hasHttp3 = build.includes('--with-http_v3_module');
  const port = address.split(':').at(-1);
  return [
    ...(isNew ? [`listen ${address} ssl;`, 'http2 on;'] : [`listen ${address} ssl http2;`]),
    ...(hasHttp3 ? [`listen ${address} quic reuseport;`] : []),
    ...(hasHttp3 ? [`add_header Alt-Svc 'h3=":${port}"' always;`] : []),
    ...(hstsSeconds ? [`add_header Strict-Transport-Security max-age=${hstsSeconds} always;`] : []),
    'include tls/tls.conf;',
  ];
}
