import type { RequestHandler } from 'express';
import { sendProblem } from '../../shared/http/problem.ts';

/** The longest DNS name (RFC 1035) with a port. */
const MAX_HOST = 253 + ':65535'.length;

/**
 * `GET /dashboard/qr.svg`: the address of the page as a QR code, for the phones of an audience.
 *
 * @param publicUrl where the audience reaches the page; by default the address of the request
 */
export function qrCode(publicUrl: string | undefined): RequestHandler {
  return async (req, res) => {
    if (publicUrl === undefined && req.host.length > MAX_HOST) {
      return sendProblem(res, 400, 'Host: must be a host name');
    }
    const { default: qrcode } = await import('qrcode'); // large, and rarely needed
    const url = publicUrl ?? `${req.protocol}://${req.host}/`;
    const svg = await qrcode.toString(url, { type: 'svg', margin: 2 });
    res.set('Cache-Control', 'no-store').type('svg').send(svg);
  };
}
