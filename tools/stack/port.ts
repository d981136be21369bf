import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ephemeral ports, which systems assign to outgoing connections: the port of a process
 * stays free while the process is down.
 */
const FIRST = 20_000;
const LAST = 31_999;

/** Tells whether a server can listen on `port` at `host`. */
export async function isPortFree(port: number, host: string): Promise<boolean> {
  const server = createServer().listen(port, host);
  const error = await once(server, 'listening').catch((err) => err);
  server.close();
  return !(error instanceof Error);
}

/** Ports given out before: their processes may not listen yet, or not at the moment. */
const given = new Set<number>();

/** Finds a free port at `host`. This process never gives out a port twice. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (given.has(port)) continue;
    given.add(port);
    if (await isPortFree(port, host)) return port;
  }
}
