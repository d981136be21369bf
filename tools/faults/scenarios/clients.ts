// Clients that do what no client should.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { showUse, steadyUsesOf, type Use, usesOf } from '../process-use.ts';
import { type Scenario, Stage } from '../stage.ts';

/** How many rude clients there are at once. */
const RUDE = 8;
/** How many sockets stay half-open, at nginx and at each instance. */
const HALF_OPEN = 50;
/** Milliseconds that a rude client waits for a reply. */
const PATIENCE_MS = 5000;
/** Connections that nginx may hold to an instance more than before: one for each other client. */
const SPARE_FDS = 32;
/** The most megabytes that they may cost an instance. */
const GROWTH_MB = 50;

const HALF = 'GET / HTTP/1.1\r\nHost: a\r\nX-Half: ';
const POST = 'POST /cart HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
const BODY = '{"item":"tea","quantity":1}';

/** Requests that have to be refused. */
const REFUSED = {
  'headers of 40 KB': `GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(40_000)}\r\n\r\n`,
  'Content-Length and Transfer-Encoding': `${POST}Content-Length: 27\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n${BODY}\r\n0\r\n\r\n`,
  'two Content-Lengths': `${POST}Content-Length: 27\r\nContent-Length: 5\r\n\r\n${BODY}`,
};

/** Clients that break off, stay half-open, send too much or what means two things. */
export const rudeClients: Scenario = {
  name: 'rude-clients',
  should: 'refuse rude clients, serve the others, and keep nothing of them',
  async run(options) {
    await using stage = await Stage.open(rudeClients.name, options);
    await stage.startLoad();
    const before = await steadyUsesOf(stage.stack, stage.amount(60_000, 1000));

    // The instances too: they listen on loopback only, but there are other programs on a machine.
    const ports = [stage.stack.nginx.port, ...stage.stack.instances.map(({ port }) => port)];
    const halfOpen = ports.flatMap((port) => Array.from({ length: HALF_OPEN }, () => open(port)));
    for (const socket of halfOpen) socket.write(HALF);
    const until = performance.now() + stage.amount(8000, 2000);
    let sent = 0;
    const rude = Array.from({ length: RUDE }, async () => {
      while (performance.now() < until) {
        await beRude(stage, stage.random.pick(ports));
        sent += 1;
      }
    });
    await Promise.all(rude);
    const during = await usesOf(stage.stack);
    for (const socket of halfOpen) socket.destroy();

    await stage.requireWithin(5000, 'file descriptors as before', async () => {
      const after = await usesOf(stage.stack);
      const open = after.map(({ fds }, i) => fds - (before[i]?.fds ?? 0));
      if (Math.max(0, ...open) > SPARE_FDS) throw new Error(`${open.join('/')} more`);
    });
    await stage.stopLoad();
    const after = await usesOf(stage.stack);
    stage.note(`${sent} rude requests, ${halfOpen.length} half-open`);
    for (const what of ['fds', 'rssMb'] as const) {
      const shown = [before, during, after].map((uses: Use[]) => showUse(uses, what));
      stage.note(`${what} ${shown.join(', ')} (before, during, after)`);
    }
    const growth = after.map(({ rssMb }, i) => rssMb - (before[i]?.rssMb ?? 0));
    stage.require(Math.max(0, ...growth) < GROWTH_MB, `RSS grew by ${growth.join('/')} MB`);
    stage.requireNoFailure();
    return await stage.settle();
  },
};

async function beRude(stage: Stage, port: number): Promise<void> {
  const names = ['break off', ...Object.keys(REFUSED)] as const;
  const name = stage.random.pick(names);
  if (name === 'break off') {
    const socket = open(port);
    socket.write(`${POST}Content-Length: 10000\r\n\r\n{"item":"`);
    await delay(20); // until the server has begun with it
    socket.destroy();
    return;
  }
  const status = await statusOf(port, REFUSED[name as keyof typeof REFUSED]);
  const isRefused = status === undefined || (status >= 400 && status < 500);
  stage.require(isRefused, `${name} at port ${port}: answered ${status}`);
}

function open(port: number): Socket {
  return connect(port, '127.0.0.1').on('error', () => {}); // being cut off is their due
}

/** The status of the reply; nothing where the connection was closed without one. */
async function statusOf(port: number, request: string): Promise<number | undefined> {
  const socket = open(port);
  try {
    socket.write(request);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const closed = once(socket, 'close', { signal }).then(() => ['']);
    const [reply] = await Promise.race([once(socket, 'data', { signal }), closed]);
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(String(reply)) ?? [];
    return status === undefined ? undefined : Number(status);
  } catch (err) {
    if ((err as Error).name === 'AbortError') return 0; // neither answered nor closed
    return undefined;
  } finally {
    socket.destroy();
  }
}
