// @ts-check
import { createServer, isIP } from 'node:net';
import { quoted } from './errors.mjs';

/** The other address at which a browser may look for localhost. */
const OTHER_LOCALHOST = /** @type {Record<string, string>} */ ({
  '127.0.0.1': '::1',
  '0.0.0.0': '::1',
  '::1': '127.0.0.1',
  '::': '127.0.0.1',
});

/**
 * Why nginx cannot listen, or why a browser that opens localhost would reach another program.
 *
 * @typedef {object} ListenProblem
 * @property {string} found the address and the reason
 * @property {string} fix what to do
 * @property {boolean} isPortInUse another port would help
 */

/**
 * @param {number} port
 * @param {string} host the value of BIND
 * @returns {Promise<ListenProblem | undefined>}
 */
export async function listenProblem(port, host) {
  const fix = 'unset BIND, or set BIND=0.0.0.0 for an audience';
  const ofBind = { fix, isPortInUse: false };
  if (!isIP(host)) return { found: `BIND=${quoted(host)} is not an IP address`, ...ofBind };
  const code = await listen(port, host);
  if (['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'].includes(code ?? '')) {
    return { found: `BIND=${host} is not an address of this machine`, ...ofBind };
  }
  const other = OTHER_LOCALHOST[host];
  const isHidden = !code && other && (await listen(port, other)) === 'EADDRINUSE';
  if (!code && !isHidden) return undefined;
  const ofPort = {
    fix: 'npm start -- --port 8081  or  HTTP_PORT=8081 docker compose up',
    isPortInUse: code === 'EADDRINUSE' || Boolean(isHidden),
  };
  if (!ofPort.isPortInUse) return { found: `${port} on ${host}: ${code}`, ...ofPort };
  const hides = isHidden ? ', where a browser looks for localhost' : '';
  return { found: `${port} is in use on ${isHidden ? other : host}${hides}`, ...ofPort };
}

/**
 * Tries to listen.
 *
 * @param {number} port
 * @param {string} host
 * @returns {Promise<string | undefined>} the code of the error
 */
function listen(port, host) {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', (err) => resolve(/** @type {NodeJS.ErrnoException} */ (err).code));
    // nginx listens on [::] without IPv4 too.
    const options = { port, host, ipv6Only: true };
    server.listen(options, () => server.close(() => resolve(undefined)));
  });
}
