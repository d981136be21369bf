import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import {
  ErrorReply,
  MaxCommandRedirectionsError,
  RootNodesUnavailableError,
  TimeoutError,
} from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { heartbeatScripts } from '../../services/app/heartbeat/scripts.ts';
import { closeRedis, createRedis, newClient } from '../../services/shared/process/redis.ts';
import { connectRedis } from '../../services/shared/process/redis-connection.ts';
import { isRedisUnavailable } from '../../services/shared/process/redis-errors.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { freePort } from '../../tools/stack/port.ts';
import { RedisAlone } from '../support/redis-alone.ts';

const TIMEOUT_MS = 400;

/** Blocks this process, as if the machine were suspended. */
const blockProcess = (ms: number) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

it.each([
  new RootNodesUnavailableError(),
  new MaxCommandRedirectionsError(),
  new TimeoutError('timeout'),
  new ErrorReply('CLUSTERDOWN Hash slot not served'),
  new ErrorReply('NOREPLICAS Not enough good replicas to write.'),
  new ErrorReply('ERR WAIT cannot be used with replica instances.'),
  new Error('no valid master node'),
  new Error('None of the sentinels are available'),
])('should mean that Redis cannot serve now: $message', (err) => {
  expect(isRedisUnavailable(err)).toBe(true);
});

it.each([new Error('a bug'), new TypeError('x is not a function'), new ErrorReply('ERR syntax')])(
  'should not mean that Redis cannot serve now: $message',
  (err) => {
    expect(isRedisUnavailable(err)).toBe(false);
  },
);

it('should log why it does not reach a Sentinel, without the password', async () => {
  const host = `127.0.0.1:${await freePort()}`;
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line).msg) });
  const url = `redis+sentinel://me:secret@${host}/main`;
  const redis = connectRedis({ url, timeoutMs: 100, log, name: 'Redis', scripts: {}, replicas: 0 });
  await eventually(() => expect(lines).toHaveLength(1));
  redis.destroy();
  expect(lines).toEqual([`Redis: Sentinel ${host}: connect ECONNREFUSED ${host}`]);
});

it('should build one class for all clients with the same scripts: each takes 25 MB', () => {
  const scripts = () => ({ ...heartbeatScripts });
  const [one, two] = ['redis://one', 'redis://two'].map((url) => newClient(scripts(), { url }));
  expect(two?.constructor).toBe(one?.constructor);
});

describe('a command whose reply is late', () => {
  let alone: RedisAlone;
  let redis: ReturnType<typeof createRedis<Record<never, never>>>;
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => lines.push(line) });

  beforeAll(async () => {
    alone = await RedisAlone.start();
    redis = createRedis({ url: alone.url, timeoutMs: TIMEOUT_MS, log, name: 'Redis', scripts: {} });
  });
  afterAll(async () => {
    await closeRedis(redis, TIMEOUT_MS);
    await alone[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await eventually(() => redis.ping());
    lines.length = 0;
  });

  it('should fail in time if Redis hangs', async () => {
    alone.process.pause();
    const from = performance.now();
    const err = await redis.ping().catch((reason) => reason);
    expect(isRedisUnavailable(err)).toBe(true);
    expect(performance.now() - from).toBeLessThan(2 * TIMEOUT_MS);
    expect(lines.join()).toContain('Redis: silent');
    alone.process.resume();
  });

  it('should succeed if the machine was suspended just after the command was sent', async () => {
    alone.process.pause();
    const reply = redis.ping();
    await delay(TIMEOUT_MS / 2); // by now the client checks for silence and waits
    blockProcess(TIMEOUT_MS);
    setTimeout(() => alone.process.resume(), TIMEOUT_MS / 8);
    expect(await reply).toBe('PONG');
    expect(lines).toEqual([]);
  });
});
