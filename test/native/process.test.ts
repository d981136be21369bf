import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { type Running, runInstance } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { NODE_OPTIONS } from '../../tools/stack/instance.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { range } from '../support/proofs.ts';
import { RedisAlone } from '../support/redis-alone.ts';

describe('the process of an instance', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ scale: 1 });
  });
  afterAll(() => stack?.close());

  /** Starts an instance and waits until it is ready at `url`. */
  async function startInstance(env: NodeJS.ProcessEnv = {}) {
    const port = await freePort('127.0.0.1');
    const running = runInstance({ REDIS_URL: stack.topology.url, PORT: String(port), ...env });
    const url = `http://127.0.0.1:${port}`;
    try {
      await eventually(async () => expect((await send(`${url}/readyz`)).status).toBe(200));
    } catch (err) {
      await running[Symbol.asyncDispose]();
      throw err;
    }
    return { running, url, port };
  }

  async function expectEnd(running: Running, ms: number): Promise<void> {
    const from = Date.now();
    expect(await running.ended).toMatchObject({ code: 0, signal: null });
    expect(Date.now() - from).toBeLessThan(ms);
  }

  it('should free the memory of its start before it listens', async () => {
    const heapWith = async (NODE_OPTIONS: string) => {
      const { running, url } = await startInstance({ NODE_OPTIONS });
      await using _ = running;
      const { body } = await send(`${url}/metrics`);
      return Number(/^nodejs_heap_size_total_bytes (\d+)$/m.exec(body)?.[1]);
    };
    const kept = await heapWith(NODE_OPTIONS.replace('--expose-gc', ''));
    expect(await heapWith(NODE_OPTIONS)).toBeLessThan(0.8 * kept);
  });

  it('should finish requests in progress on SIGTERM, refuse new connections, and exit 0', async () => {
    const { running, url } = await startInstance({ ORIGIN_DELAY_MS: '1000' });
    await using _ = running;
    await send(`${stack.url}/data`, { method: 'DELETE' });
    const agent = new Agent({ keepAlive: true });
    const underWay = request(`${url}/data`, { agent });
    underWay.end();
    await delay(200); // until the request waits for the origin
    running.child.kill('SIGTERM');
    await eventually(async () => {
      await expect(send(`${url}/livez`)).rejects.toThrow('ECONNREFUSED');
    }, 700);
    const [reply] = await once(underWay, 'response');
    reply.resume();
    expect(reply.statusCode).toBe(200);
    expect(reply.headers.connection).toBe('close');
    await expectEnd(running, 2000);
    agent.destroy();
  });

  it('should answer a request on an open connection just after it stops accepting new ones', async () => {
    const { running, url, port } = await startInstance();
    await using _ = running;
    const idle = connect(port, '127.0.0.1');
    const ask = () => idle.write('GET /livez HTTP/1.1\r\nHost: here\r\n\r\n');
    ask();
    await once(idle, 'data'); // like a connection that nginx keeps open
    running.child.kill('SIGTERM');
    await eventually(async () => {
      await expect(send(`${url}/livez`)).rejects.toThrow('ECONNREFUSED');
    }, 700);
    ask();
    expect(await text(idle)).toMatch(/HTTP\/1\.1 200 OK\r\n.*Connection: close/s);
    await expectEnd(running, 1500);
  });

  it('should answer all requests that are on a connection on SIGTERM', async () => {
    const { running, url, port } = await startInstance({ ORIGIN_DELAY_MS: '1000' });
    await using _ = running;
    await send(`${stack.url}/data`, { method: 'DELETE' });
    const socket = connect(port, '127.0.0.1');
    for (const path of ['/data', '/livez', '/data/item-1', '/nothing']) {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: here\r\n\r\n`);
    }
    await send(`${url}/livez`); // by now the instance has all of them
    running.child.kill('SIGTERM');
    const [replies] = await Promise.all([text(socket), expectEnd(running, 4000)]);
    const statuses = replies.match(/(?<=HTTP\/1\.1 )\d+/g);
    expect(statuses).toEqual(['200', '200', '200', '404']);
  });

  it('should end at once if only idle connections are open', async () => {
    const { running, url } = await startInstance();
    await using _ = running;
    const agent = new Agent({ keepAlive: true });
    const req = request(`${url}/livez`, { agent });
    req.end();
    const [reply] = await once(req, 'response');
    reply.resume();
    await once(reply, 'end');
    running.child.kill('SIGTERM');
    await expectEnd(running, 1500);
    agent.destroy();
  });

  it('should end within 10 s even if a client never finishes its request', async () => {
    const { running, port } = await startInstance();
    await using _ = running;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
    await delay(100);
    running.child.kill('SIGTERM');
    await expectEnd(running, 10_000);
    socket.destroy();
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'should exit 0 on %s even while Redis hangs',
    async (signal) => {
      const { running, url } = await startInstance();
      await using _ = running;
      stack.redis.pause();
      try {
        const answer = send(`${url}/`);
        running.child.kill(signal);
        expect((await answer.catch(() => ({ status: 503 }))).status).toBe(503);
        await expectEnd(running, 4000);
      } finally {
        stack.redis.resume();
      }
    },
  );

  it('should exit 0 on SIGTERM if Redis died during a command', async () => {
    const { running, url } = await startInstance();
    await using _ = running;
    stack.redis.pause();
    const answer = send(`${url}/`);
    await delay(50);
    await stack.redis.kill();
    expect((await answer).status).toBe(503);
    running.child.kill('SIGTERM');
    await expectEnd(running, 4000);
    await stack.redis.start();
  });

  it('should not listen before Redis answers', async () => {
    await using redis = await RedisAlone.start();
    await redis.process.stop();
    const port = await freePort('127.0.0.1');
    const settings = { REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '100', PORT: String(port) };
    await using running = runInstance({ ...settings, LOG_LEVEL: 'info' });
    await eventually(() => expect(running.stdout).toContain('ECONNREFUSED'));
    for (const until = Date.now() + 500; Date.now() < until; await delay(20)) {
      await expect(send(`http://127.0.0.1:${port}/livez`)).rejects.toThrow('ECONNREFUSED');
    }
    await redis.process.start();
    const first = await eventually(() => send(`http://127.0.0.1:${port}/`));
    expect(first.body).toBe('Views: 1');
  });

  describe('that gets several requests at once on a connection', () => {
    const parts = {
      slow: 'GET /data HTTP/1.1\r\nHost: here\r\n\r\n',
      fast: 'GET /livez HTTP/1.1\r\nHost: here\r\n\r\n',
      rubbish: 'RUBBISH\r\n\r\n',
      'broken body':
        'POST /login HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n' +
        'Transfer-Encoding: chunked\r\n\r\nrubbish\r\n',
    };

    it.each<[(keyof typeof parts)[], string[]]>([
      [
        ['slow', 'rubbish'],
        ['200 New Data', '400 '],
      ],
      [
        ['slow', 'fast', 'rubbish'],
        ['200 New Data', '200 live', '400 '],
      ],
      [
        ['slow', 'broken body'],
        ['200 New Data', '400 '],
      ],
      [['rubbish'], ['400 ']],
      [['broken body'], ['400 ']],
    ])('should answer them in turn: %j', async (names, expected) => {
      for (const port of [stack.instances[0]?.port ?? 0, stack.nginx.port]) {
        await send(`${stack.url}/data`, { method: 'DELETE' });
        const socket = connect(port, '127.0.0.1').setNoDelay();
        for (const name of names) {
          await new Promise((written) => socket.write(parts[name], written));
        }
        const replies = (await text(socket)).split(/(?=HTTP\/1\.1 )/).map((reply) => {
          const [head = '', body = ''] = reply.split('\r\n\r\n');
          return `${head.split(' ')[1]} ${/New Data|live/.exec(body) ?? ''}`;
        });
        expect(replies).toEqual(expected);
      }
    });

    it('should answer rubbish once, even if it comes in many pieces', async () => {
      const { running, url, port } = await startInstance({ ORIGIN_DELAY_MS: '1000' });
      await using _ = running;
      await send(`${url}/data`, { method: 'DELETE' });
      const socket = connect(port, '127.0.0.1').setNoDelay();
      socket.write(parts.slow);
      for (const _ of range(1, 15)) {
        socket.write(parts.rubbish);
        await send(`${url}/livez`); // by now the instance has read it
      }
      const replies = (await text(socket)).match(/HTTP\/1\.1 \d+/g);
      expect(replies).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
      expect(running.stderr).not.toContain('MaxListenersExceededWarning');
    });
  });

  it('should report in one line that its port is taken, and exit 1', async () => {
    await using first = runInstance({
      REDIS_URL: stack.topology.url,
      PORT: '0',
      LOG_LEVEL: 'info',
    });
    const port = await eventually(() => {
      const [, found] = /listening on 127\.0\.0\.1:(\d+)/.exec(first.stdout) ?? [];
      if (!found) throw new Error('not yet');
      return found;
    });
    await using second = runInstance({ REDIS_URL: stack.topology.url, PORT: port });
    expect(await second.ended).toMatchObject({
      code: 1,
      stderr: `PORT=${port}: cannot listen on 127.0.0.1: another program uses it\n`,
    });
  });

  it('should report an invalid setting in one line, and exit 1', async () => {
    await using running = runInstance({ CACHE_TTL_SECONDS: 'an hour' });
    expect(await running.ended).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'CACHE_TTL_SECONDS="an hour": must be a whole number from 1 to 86400\n',
    });
  });
});
