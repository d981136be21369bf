import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems hand out for outgoing connections, so that a port stays free while its instance is down. */
const FIRST = 20_000;
const LAST = 31_999;

/** Resolves to true where `port` can be listened on at `host`. */
export async function isPortFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** Those that were given out: whoever got one may not listen yet, or not at the moment. */
const given = new Set<number>();

/** Finds a port that nobody listens on at `host`. It is never found again by this process. */
export async function freePort(host: string): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (given.has(port)) continue;
    given.add(port);
    if (await isPortFree(port, host)) return port;
  }
}
