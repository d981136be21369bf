import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { pingRedis } from '../../tools/stack/redis.ts';

describe('pingRedis', () => {
  let server: Server;
  afterEach(() => server.close());

  it.each<[string, (socket: Socket) => unknown, boolean]>([
    ['answers', (socket) => socket.end('+OK\r\n+PONG\r\n'), true],
    ['stays silent', () => {}, false],
    ['closes the connection', (socket) => socket.end(), false],
    ['resets the connection', (socket) => socket.resetAndDestroy(), false],
    ['is loading', (socket) => socket.end('+OK\r\n-LOADING\r\n'), false],
  ])('should report in time whether Redis is ready, if it %s', async (_name, answer, expected) => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => answer(socket));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect(await pingRedis((server.address() as AddressInfo).port, 'word')).toBe(expected);
  });
});
