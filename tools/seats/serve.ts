import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { findTools } from '../lib/programs.mjs';
import { assertFree } from '../stack/port.ts';
import { publicUrl, urlOf } from '../stack/public-url.ts';
import { createApp } from './app.ts';
import { Room, type RoomOptions } from './room.ts';

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
  server.on('request', createApp(room, audience));
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
