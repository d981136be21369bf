// @ts-check
// npm run certificate: a local CA, and a certificate of this machine for TLS.
import {
  CERTIFICATES,
  localCertificate,
  machineNames,
  readCertificate,
} from './lib/certificate.mjs';
import { failure } from './lib/errors.mjs';
import { eraseBanner } from './lib/terminal.mjs';
import { typedPath } from './lib/typed-path.mjs';

eraseBanner();
try {
  const [folder] = process.argv.slice(2);
  const target = folder ? typedPath(folder) : CERTIFICATES;
  const files = localCertificate(target, machineNames(process.env), console.log);
  console.log(`${files.certificate} is valid until ${readCertificate(files).validTo}.`);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exitCode = exitCode;
}
