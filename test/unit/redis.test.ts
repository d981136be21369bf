import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeRedis, createRedis } from '../../services/shared/process/redis.ts';
import { isRedisUnavailable } from '../../services/shared/process/redis-errors.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { RedisAlone } from '../support/redis-alone.ts';

const TIMEOUT_MS = 400;

/** Nothing of this process runs for so long, as where the machine stands still. */
const standStill = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

describe('a command whose answer does not come', () => {
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

  it('should fail in time where Redis hangs', async () => {
    alone.process.pause();
    const from = performance.now();
    const err = await redis.ping().catch((reason) => reason);
    expect(isRedisUnavailable(err)).toBe(true);
    expect(performance.now() - from).toBeLessThan(2 * TIMEOUT_MS);
    expect(lines.join()).toContain('Redis: silent');
    alone.process.resume();
  });

  it('should still come where the machine stood still just after the question', async () => {
    alone.process.pause();
    const answer = redis.ping();
    await delay(TIMEOUT_MS / 2); // now the watch has asked too, and waits
    standStill(TIMEOUT_MS);
    setTimeout(() => alone.process.resume(), TIMEOUT_MS / 8);
    expect(await answer).toBe('PONG');
    expect(lines).toEqual([]);
  });
});
