import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { showUse, steadyUsesOf, usesOf } from '../../lib/process-use.ts';
import type { Environment, Scenario } from '../environment.ts';

/** Rude clients at the same time. */
const RUDE = 8;
/** Half-open sockets, at nginx and at each instance. */
const HALF_OPEN = 50;
/** Milliseconds for which a rude client waits for a reply. */
const TIMEOUT_MS = 5000;
/** More connections from nginx to an instance than before: one for each other client. */
const SPARE_FDS = 32;

const HALF = 'GET / HTTP/1.1\r\nHost: a\r\nX-Half: ';
const POST = 'POST /cart HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
const BODY = '{"item":"tea","quantity":1}';

/** Requests that must be refused. */
const REFUSED = {
  'headers of 200 KB': `GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(200_000)}\r\n\r\n`,
  'Content-Length and Transfer-Encoding': `${POST}Content-Length: 27\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n${BODY}\r\n0\r\n\r\n`,
  'two Content-Lengths': `${POST}Content-Length: 27\r\nContent-Length: 5\r\n\r\n${BODY}`,
};

/** Clients that disconnect, stay half-open, or send too much or ambiguous requests. */
export const rudeClients: Scenario = {
  name: 'rude-clients',
  should: 'refuse rude clients, serve the others, and keep no resources of the rude ones',
  async run(environment) {
    const { nginx, instances } = environment.stack;
    await environment.startLoad();
    const before = await steadyUsesOf(instances, environment.amount(60_000, 1000));

    // Also the instances: other programs on the machine can reach them on loopback.
    const ports = [nginx.port, ...instances.map(({ port }) => port)];
    const halfOpen = ports.flatMap((port) => Array.from({ length: HALF_OPEN }, () => open(port)));
    for (const socket of halfOpen) socket.write(HALF);
    const totalMs = environment.amount(8000, 2000);
    const rude = Array.from({ length: RUDE }, () =>
      environment.repeat(totalMs, 0, () => beRude(environment, environment.random.pick(ports))),
    );
    const sent = (await Promise.all(rude)).reduce((sum, count) => sum + count, 0);
    const during = await usesOf(instances);
    for (const socket of halfOpen) socket.destroy();

    await environment.requireWithin(5000, 'file descriptors as before', async () => {
      const more = (await usesOf(instances)).map(({ fds }, i) => fds - (before[i]?.fds ?? 0));
      if (Math.max(0, ...more) > SPARE_FDS) throw new Error(`${more.join('/')} more`);
    });
    await environment.stopLoad();
    const after = await usesOf(instances);
    environment.note(`${sent} rude requests, ${halfOpen.length} half-open`);
    for (const what of ['fds', 'rssMb'] as const) {
      const shown = [before, during, after].map((uses) => showUse(uses, what));
      environment.note(`${what} ${shown.join(', ')} (before, during, after)`);
    }
    await environment.requireSteadyMemory(before);
  },
};

async function beRude(environment: Environment, port: number): Promise<void> {
  const [name, request] = environment.random.pick([['disconnect', ''], ...Object.entries(REFUSED)]);
  if (!request) {
    const socket = open(port);
    socket.write(`${POST}Content-Length: 10000\r\n\r\n{"item":"`);
    await delay(20); // until the server has begun to read it
    socket.destroy();
    return;
  }
  const status = await statusOf(port, request);
  const isRefused = status === undefined || (status >= 400 && status < 500);
  environment.require(isRefused, `${name} at port ${port}: answered ${status}`);
}

function open(port: number): Socket {
  return connect(port, '127.0.0.1').on('error', () => {}); // the server may close the connection
}

/** The status of the reply: `undefined` if the connection is closed without one, 0 after a timeout. */
async function statusOf(port: number, request: string): Promise<number | undefined> {
  const socket = open(port);
  try {
    socket.write(request);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const closed = once(socket, 'close', { signal }).then(() => ['']);
    const [reply] = await Promise.race([once(socket, 'data', { signal }), closed]);
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(String(reply)) ?? [];
    return status === undefined ? undefined : Number(status);
  } catch (err) {
    return (err as Error).name === 'AbortError' ? 0 : undefined;
  } finally {
    socket.destroy();
  }
}
