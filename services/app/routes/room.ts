import type { RequestHandler } from 'express';
import { sendProblem } from '../../shared/http/problem.ts';

/** The most characters of a name in DNS (RFC 1035), and of a port. */
const MAX_HOST = 253 + ':65535'.length;

/**
 * `GET /room.svg`: the address of the page as a QR code, for the phones of an audience.
 *
 * @param url where they reach it; else the address by which the page was asked for
 */
export function roomCode(url: string | undefined): RequestHandler {
  return async (req, res) => {
    if (url === undefined && req.host.length > MAX_HOST) {
      return sendProblem(res, 400, 'Host: is no name of a host');
    }
    const { default: qrcode } = await import('qrcode'); // seldom needed, and not small
    const svg = await qrcode.toString(url ?? `${req.protocol}://${req.host}/`, {
      type: 'svg',
      margin: 2,
    });
    res.set('Cache-Control', 'no-store').type('svg').send(svg);
  };
}
