import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { UsageError } from '../lib/errors.mjs';
import { wholeNumber } from '../lib/options.ts';
import { findTools } from '../lib/programs.mjs';
import { freeMemory } from '../setup/check-machine.mjs';
import { DEFAULT_NAME } from '../stack/folder.ts';
import { assertFree } from '../stack/port.ts';
import { publicUrl, urlOf } from '../stack/public-url.ts';
import { createApp } from './app.ts';
import { Room, type RoomOptions } from './room.ts';

const MAX_SEATS = 40;
/** Megabytes of a seat. Its stack takes about 250, and the largest lesson 430. */
const SEAT_MEMORY_MB = '600';
/** Megabytes that stay free for the presenter. */
const RESERVED_MB = 500;
/** The longest name, so that those of the stacks have at most 20 characters. */
const MAX_NAME = 17;

/** A running server of seats. */
export interface SeatServer {
  room: Room;
  /** The address for this machine. */
  url: string;
  /** The address for the audience; `undefined` if other machines cannot reach it. */
  publicUrl: string | undefined;
  close(): Promise<void>;
}

/**
 * Serves seats to attendees whose laptops fail.
 *
 * @throws {StackError} if Redis or nginx is missing, or the port is in use
 */
export async function serveSeats(
  options: RoomOptions & { install?: boolean },
  report: (line: string) => void = () => {},
): Promise<SeatServer> {
  findTools(report, options.install);
  const { bind, port } = options;
  if (port) await assertFree(port, bind);
  const room = await Room.open(options);
  const server = createServer();
  try {
    server.listen(port, bind);
    await once(server, 'listening');
  } catch (err) {
    await room.close();
    throw err;
  }
  const { port: actual } = server.address() as AddressInfo;
  const audience = process.env.PUBLIC_URL || publicUrl('http', bind, actual);
  server.on('request', await createApp(room, audience));
  const isLocalhost = ['127.0.0.1', '0.0.0.0', '::1', '::'].includes(bind);
  return {
    room,
    url: urlOf('http', isLocalhost ? 'localhost' : bind, actual),
    publicUrl: audience,
    close: async () => {
      await room.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What `npm start` has read from the command line. */
interface Values {
  [option: string]: unknown;
  name: string;
  seats?: string | undefined;
  'at-once'?: string | undefined;
  'seat-memory'?: string | undefined;
}

/**
 * Starts the seats of `npm start -- --seats N` and prints their address.
 *
 * @throws {UsageError} if an option is wrong, or seats have no such option
 */
export async function startSeats(
  values: Values,
  common: { bind: string; port: number; scale: number; install: boolean },
  report: (line: string) => void,
): Promise<SeatServer> {
  for (const other of ['compare', 'tls', 'cert', 'key', 'watch', 'redis', 'program']) {
    if (!String(values[other] || '')) continue;
    throw new UsageError(`\`--seats\` cannot be combined with \`--${other}\`.`);
  }
  const seats = wholeNumber('--seats', values.seats ?? '', 1, MAX_SEATS);
  const memory = values['seat-memory'] ?? SEAT_MEMORY_MB;
  const memoryMb = wholeNumber('--seat-memory', memory, 50, 100_000);
  const fitting = String(Math.min(seats, seatsAtOnce(memoryMb)));
  const atOnce = wholeNumber('--at-once', values['at-once'] ?? fitting, 1, MAX_SEATS);
  const name = values.name === DEFAULT_NAME ? 'seats' : values.name.slice(0, MAX_NAME);
  const server = await serveSeats({ ...common, name, seats, memoryMb, atOnce }, report);
  report(`ready ${server.url} seats=${seats}`);
  if (server.publicUrl) report(`For the audience: ${server.publicUrl}`);
  report(`At most ${atOnce} seats run something at once, each with ${memoryMb} MB; others wait.`);
  report('Press Ctrl-C to stop.');
  return server;
}

/**
 * The number of seats that can run something at once: each has its memory, and a core. With more
 * lessons at once, their processes start too slowly.
 */
export function seatsAtOnce(memoryMb: number, free = freeMemory(), cores = availableParallelism()) {
  const fitting = Math.floor((free / 2 ** 20 - RESERVED_MB) / memoryMb);
  return Math.max(1, Math.min(fitting, cores));
}
