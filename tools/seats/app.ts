import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parseCookie } from 'cookie';
import type { Express, Request, Response } from 'express';
import { rateLimit } from 'express-rate-limit';
import { pino } from 'pino';
import { z } from 'zod';
import { qrCode } from '../../services/dashboard/routes/qr-code.ts';
import { createExpress } from '../../services/shared/http/express.ts';
import { jsonBody } from '../../services/shared/http/json-body.ts';
import { notFound, problemHandler, sendProblem } from '../../services/shared/http/problem.ts';
import { securityHeaders } from '../../services/shared/http/reply-headers.ts';
import { sameOrigin } from '../../services/shared/http/same-origin.ts';
import { catalog, load } from '../../workshop/kit/catalog.ts';
import { ROOT } from '../lib/root.mjs';
import { type Room, STACK } from './room.ts';
import type { Seat } from './seat.ts';

/** Changes that one address can ask for in a minute; a whole audience may share one. */
const CHANGES_PER_MINUTE = 300;
/** Open pages for each seat. */
const PAGES_PER_SEAT = 4;
/** Bytes that may wait for a page. A slow page is disconnected, and reconnects. */
const MAX_WAITING = 256 * 1024;

const DASHBOARD = join(ROOT, 'services/dashboard/page');
const FILES = {
  '/': join(import.meta.dirname, 'page/index.html'),
  '/seats.js': join(import.meta.dirname, 'page/seats.js'),
  '/seats.css': join(import.meta.dirname, 'page/seats.css'),
  '/dashboard.css': join(DASHBOARD, 'dashboard.css'),
  '/icon.svg': join(DASHBOARD, 'icon.svg'),
};

/**
 * The page of the seats and what it asks for. An attendee runs the stack of the seat and lessons of
 * the catalog, and nothing else.
 *
 * @param publicUrl the address for the audience; by default that of the request
 */
export async function createApp(room: Room, publicUrl: string | undefined): Promise<Express> {
  const entries = catalog();
  const lessons = await Promise.all(
    entries.map(async (entry) => ({ ...entry, asks: (await load(entry)).asks })),
  );
  const cookieName = `${room.options.name}.seat`; // browsers send it to every port of the host
  const seatOf = (req: Request) => room.seatOf(parseCookie(req.headers.cookie ?? '')[cookieName]);
  let pages = 0;

  const app = createExpress();
  app.set('trust proxy', false); // nginx is not in front of it
  app.use((_req, res, next) => {
    for (const [name, value] of securityHeaders) res.setHeader(name, value);
    res.setHeader('Cache-Control', 'no-store');
    next();
  });
  for (const [path, file] of Object.entries(FILES)) {
    const text = readFileSync(file);
    app.get(path, (_req, res) => res.type(extname(file)).send(text));
  }
  app.get('/qr.svg', qrCode(publicUrl));
  app.get('/lessons', (_req, res) => res.json(lessons));
  for (const { name, folder } of entries) {
    const text = readFileSync(join(ROOT, folder, 'README.md'), 'utf8');
    app.get(`/lessons/${name}`, (_req, res) => res.type('text').send(text));
  }

  app.get('/events', (req, res) => {
    if (pages >= room.seats.length * PAGES_PER_SEAT) {
      return sendProblem(res, 503, 'Too many pages are open. Close one and reload this page.');
    }
    const seat = seatOf(req);
    const { token } = seat ?? {};
    let last = '';
    const send = () => {
      const current = seat && seat.token === token ? seat : undefined; // it was given back
      const text = `data: ${JSON.stringify(viewOf(room, current, publicUrl))}\n\n`;
      if (text === last) return;
      last = text;
      if (res.writableLength > MAX_WAITING) res.destroy();
      else res.write(text);
    };
    res.set('Content-Type', 'text/event-stream');
    send();
    pages += 1;
    if (seat) seat.pages += 1;
    room.on('change', send);
    res.once('close', () => {
      pages -= 1;
      room.off('change', send);
      if (!seat) return;
      seat.pages -= 1;
      seat.leftAt = Date.now();
    });
  });

  const limit = rateLimit({
    limit: CHANGES_PER_MINUTE,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: (_req, res) => sendProblem(res, 429, 'Too many requests. Wait a minute.'),
  });
  const change = [limit, sameOrigin];
  app.post('/seat', change, (req: Request, res: Response) => {
    const seat = seatOf(req) ?? room.take();
    if (!seat) return sendProblem(res, 409, `All ${room.seats.length} seats are taken.`);
    const options = { httpOnly: true, sameSite: 'lax', path: '/' } as const;
    return res.cookie(cookieName, seat.token, options).status(204).end();
  });
  const ofSeat = (act: (seat: Seat, req: Request) => void) => (req: Request, res: Response) => {
    const seat = seatOf(req);
    if (!seat) return sendProblem(res, 403, 'This browser has no seat. Take one first.');
    act(seat, req);
    return res.status(204).end();
  };
  const job = z.enum([STACK, ...entries.map(({ name }) => name)]);
  const run = ofSeat((seat, req) => room.request(seat, req.body.job));
  app.post('/seat/run', change, jsonBody(z.strictObject({ job })), run);
  app.post(
    '/seat/stop',
    change,
    ofSeat((seat) => room.stop(seat)),
  );
  app.delete(
    '/seat',
    change,
    ofSeat((seat) => room.leave(seat)),
  );

  app.use(notFound);
  app.use(problemHandler(pino()));
  return app;
}

/** What a page shows: of the room, and of its own seat only. */
function viewOf(room: Room, seat: Seat | undefined, publicUrl: string | undefined) {
  const { seats, queue, running, options } = room;
  const { atOnce, memoryMb: limitMb } = options;
  const taken = seats.filter(({ token }) => token).length;
  const common = { seats: seats.length, taken, running, waiting: queue.length, atOnce, publicUrl };
  if (!seat) return common;
  const { number, job, state, memoryMb, output } = seat;
  const place = queue.indexOf(seat) + 1;
  const address = state === 'running' ? seat.activity?.address : undefined;
  const stack = { job, state, place, address };
  return { ...common, seat: { number, ...stack, memoryMb, limitMb, output } };
}
